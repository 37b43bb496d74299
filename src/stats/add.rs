//! The two ways to add to a counter, and the way to read one into a sum.

use crate::sync::{AtomicU64, Ordering::Relaxed};

/// Whether threads count in their own counters. `--cfg framepool_stats="off"` builds the crate without, only
/// to measure what counting costs. That build never makes glibc consolidate its heap either, because a count decides it.
pub(super) const COUNTS: bool = cfg!(not(framepool_stats = "off"));

/// A function that adds to a counter and returns the new value: [`owned`] or [`shared`].
pub(crate) type Add = fn(&AtomicU64, u64) -> u64;

/// Adds to a counter that only this thread writes.
#[inline(always)]
pub(crate) fn owned(counter: &AtomicU64, n: u64) -> u64 {
    let sum = counter.load(Relaxed).wrapping_add(n);
    if COUNTS {
        counter.store(sum, Relaxed);
    }
    sum
}

/// Adds to a counter that all threads may write.
pub(crate) fn shared(counter: &AtomicU64, n: u64) -> u64 {
    counter.fetch_add(n, Relaxed).wrapping_add(n)
}

/// Raises a maximum that all threads may write. It seldom rises, so it is read first.
pub(super) fn raise(max: &AtomicU64, to: u64) {
    if max.load(Relaxed) < to {
        max.fetch_max(to, Relaxed);
    }
}

/// Adds a counter to a sum.
pub(crate) fn sum_up(sum: &mut u64, counter: &AtomicU64) {
    *sum = sum.wrapping_add(counter.load(Relaxed));
}
