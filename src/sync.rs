//! The atomics, the fence pair and the locks that the crate is written with: real ones, or the model
//! checker's.
//!
//! They are in one module, so that loom can replace them without a change to the code that it checks.
//!
//! **The fence pair** makes one side pay nothing. [`light_fence`] stops only the compiler. [`heavy_fence`]
//! makes every processor that runs this process pass a full fence (`membarrier`). Take two threads that each
//! store and then load: one has a light fence in between, the other a heavy one. At least one of the two
//! loads sees the other side's store (Dice, Huang and Yang 2001).

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

/// Defines a constructor that is `const`, except for the model checker, whose atomics have no `const`
/// constructor.
macro_rules! const_unless_modelled {
    ($visibility:vis fn new($($argument:ident: $type:ty)?) -> Self $body:block) => {
        #[cfg(not(framepool_loom))]
        $visibility const fn new($($argument: $type)?) -> Self $body

        #[cfg(framepool_loom)]
        $visibility fn new($($argument: $type)?) -> Self $body
    };
}
pub(crate) use const_unless_modelled;

/// A plain read, which the compiler may fold into the instruction that uses the value.
pub(crate) trait UnsyncLoad {
    type Value;

    /// # Safety
    ///
    /// No other thread writes this value now. (The model checker verifies it.)
    unsafe fn load_unsync(&self) -> Self::Value;
}
