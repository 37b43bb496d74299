//! The numbers behind [`Stats`](crate::Stats): one set for each thread that has a place, one that the others share.
//!
//! A thread adds to its own with a load and a store, which no other thread's cache line pays for; the shared ones take an
//! atomic addition. Both count for ever: a place keeps its counts when its thread ends, and the next thread goes on
//! from them. Sums wrap after 2^64.

use crate::config::CLASSES;
use crate::stats::Stats;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// Counters of one class: one cache line.
#[repr(C, align(64))]
pub(crate) struct ClassCounters {
    pub(crate) hits: AtomicU64,
    pub(crate) requested_bytes: AtomicU64,
    pub(crate) returns: AtomicU64,
    /// One for each [`Refusal`].
    pub(crate) refused: [AtomicU64; 3],
    pub(crate) reallocs_in_place: AtomicU64,
}

/// Why a class does not serve a layout that fits it.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    Miss,
    HeldBack,
    BelowFloor,
}

/// Counters of one thread, or of all that have none of their own.
///
/// All are written by their owner (Relaxed load and store) or by anybody (Relaxed addition), read by snapshots (Relaxed),
/// and publish nothing.
#[repr(C)]
pub(crate) struct Counters {
    pub(crate) classes: [ClassCounters; CLASSES],
    pub(crate) fallback_bytes: AtomicU64,
    pub(crate) too_large: AtomicU64,
    pub(crate) over_aligned: AtomicU64,
    pub(crate) disabled: AtomicU64,
    pub(crate) starting: AtomicU64,
    pub(crate) shrunk_in_fallback: AtomicU64,
    pub(crate) reallocs_moved: AtomicU64,
    pub(crate) memsets_skipped: AtomicU64,
    pub(crate) memsets_done: AtomicU64,
}

/// How to add to a counter: [`owned`] or [`shared`].
pub(crate) type Add = fn(&AtomicU64, u64);

/// Adds to a counter that only this thread writes.
#[inline(always)]
pub(crate) fn owned(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

/// Adds to a counter that any thread writes.
pub(crate) fn shared(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

impl ClassCounters {
    const fn new() -> Self {
        Self {
            hits: AtomicU64::new(0),
            requested_bytes: AtomicU64::new(0),
            returns: AtomicU64::new(0),
            refused: [const { AtomicU64::new(0) }; 3],
            reallocs_in_place: AtomicU64::new(0),
        }
    }
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            classes: [const { ClassCounters::new() }; CLASSES],
            fallback_bytes: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
            over_aligned: AtomicU64::new(0),
            disabled: AtomicU64::new(0),
            starting: AtomicU64::new(0),
            shrunk_in_fallback: AtomicU64::new(0),
            reallocs_moved: AtomicU64::new(0),
            memsets_skipped: AtomicU64::new(0),
            memsets_done: AtomicU64::new(0),
        }
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        let add = |sum: &mut u64, counter: &AtomicU64| *sum = sum.wrapping_add(counter.load(Relaxed));
        for (sum, counters) in stats.classes.iter_mut().zip(&self.classes) {
            add(&mut sum.hits, &counters.hits);
            add(&mut sum.requested_bytes, &counters.requested_bytes);
            add(&mut sum.returns, &counters.returns);
            add(&mut sum.misses, &counters.refused[Refusal::Miss as usize]);
            add(&mut sum.held_back, &counters.refused[Refusal::HeldBack as usize]);
            add(&mut sum.below_floor, &counters.refused[Refusal::BelowFloor as usize]);
            add(&mut sum.reallocs_in_place, &counters.reallocs_in_place);
        }
        add(&mut stats.fallback_bytes, &self.fallback_bytes);
        add(&mut stats.too_large, &self.too_large);
        add(&mut stats.over_aligned, &self.over_aligned);
        add(&mut stats.disabled, &self.disabled);
        add(&mut stats.starting, &self.starting);
        add(&mut stats.shrunk_in_fallback, &self.shrunk_in_fallback);
        add(&mut stats.reallocs_moved, &self.reallocs_moved);
        add(&mut stats.memsets_skipped, &self.memsets_skipped);
        add(&mut stats.memsets_done, &self.memsets_done);
    }
}
