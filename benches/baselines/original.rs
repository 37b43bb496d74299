//! The original's design: one `std::sync::Mutex` around all four pools and their statistics.
//!
//! Uncontended, an operation costs the lock's two atomic swaps and the list's few stores. A thread that meets another
//! spins a little, then sleeps in the kernel, whichever classes the two want.

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
