//! The original's design: one `std::sync::Mutex` around all four pools and their statistics.
//!
//! Without contention, an operation costs the lock's two atomic swaps and a few stores to the list. A thread
//! that finds the lock taken spins briefly and then sleeps in the kernel, even if the two threads want
//! different classes.

use std::sync::{Mutex, PoisonError};

use super::{Baseline, Locks, Pool};

/// Four pools behind one mutex.
pub(crate) type Original = Baseline<OneMutex>;

pub(crate) struct OneMutex(Mutex<[Pool; 4]>);

impl Locks for OneMutex {
    fn new(pools: [Pool; 4]) -> Self {
        Self(Mutex::new(pools))
    }

    fn with<R>(&self, pool: usize, f: impl FnOnce(&mut Pool) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)[pool])
    }
}
