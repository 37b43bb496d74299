//! The atomics, the fence pair and the lock that everything above is written with: real ones, or the model checker's.
//!
//! One room for them, so that loom can be put in their place without touching the code that it checks.
//!
//! **The fence pair** makes a cheap side pay nothing: [`light_fence`] only stops the compiler, and [`heavy_fence`] makes every
//! processor that runs this process pass a full fence (`membarrier`). Of a store before a light fence and a load after it, and a
//! store before a heavy fence and a load after it, at least one load sees the other side's store (Dice, Huang and Yang 2001).

#[cfg(framepool_loom)]
pub(crate) mod loom_check;
#[cfg(framepool_loom)]
mod modelled;
#[cfg(not(framepool_loom))]
mod native;
mod sleep;
#[cfg(not(framepool_loom))]
mod start_up_cell;

pub(crate) use core::sync::atomic::Ordering;

#[cfg(framepool_loom)]
pub(crate) use modelled::*;
#[cfg(not(framepool_loom))]
pub(crate) use native::*;
pub(crate) use sleep::{Condvar, Lock};
#[cfg(not(framepool_loom))]
pub(crate) use start_up_cell::StartUpCell;

#[cfg(not(target_has_atomic = "64"))]
compile_error!("framepool needs 64-bit atomics: its counters and slot sets are made of them");

/// A constructor that is `const`, but for the model checker, whose atomics cannot be made so.
macro_rules! const_unless_modelled {
    ($visibility:vis fn new($($argument:ident: $type:ty)?) -> Self $body:block) => {
        #[cfg(not(framepool_loom))]
        $visibility const fn new($($argument: $type)?) -> Self $body

        #[cfg(framepool_loom)]
        $visibility fn new($($argument: $type)?) -> Self $body
    };
}
pub(crate) use const_unless_modelled;

/// A plain read, which the compiler may fold into the instruction that uses it.
pub(crate) trait UnsyncLoad {
    type Value;

    /// # Safety
    ///
    /// No other thread writes this now. (The model checker sees to it.)
    unsafe fn load_unsync(&self) -> Self::Value;
}
