//! The design that the original's handbook suggests next: the same pools, each behind its own `spin::Mutex`.
//!
//! Without contention, an operation costs one atomic swap and a few stores to the list. Threads that use
//! different classes never contend. A thread that finds its class's lock taken keeps its processor busy until
//! the owner of the lock is done. If the owner was preempted, that lasts a whole time slice.

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
