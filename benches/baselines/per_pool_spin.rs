//! What the original's handbook suggests next: the same pools, each behind a `spin::Mutex` of its own.
//!
//! Uncontended, an operation costs one atomic swap and the list's few stores. Threads of different classes never meet;
//! threads of one class burn their processor until the other is done, for a whole time slice if that one was preempted.

use spin::Mutex;

use super::{Baseline, Locks, Pool};

/// Four pools, a spin lock each.
pub(crate) type PerPoolSpin = Baseline<SpinEach>;

pub(crate) struct SpinEach([Mutex<Pool>; 4]);

impl Locks for SpinEach {
    fn new(pools: [Pool; 4]) -> Self {
        Self(pools.map(Mutex::new))
    }

    fn with<R>(&self, pool: usize, f: impl FnOnce(&mut Pool) -> R) -> R {
        f(&mut self.0[pool].lock())
    }
}
