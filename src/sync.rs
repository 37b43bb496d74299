//! The atomics that everything above is written with.
//!
//! One room for them, so that a model checker can be put in their place without touching the code that it checks.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, compiler_fence,
};

#[cfg(not(target_has_atomic = "64"))]
compile_error!("framepool needs 64-bit atomics: its counters and slot sets are made of them");
