//! The counters behind [`Stats`]: a group for each thread that has a place, and a group that all other
//! threads share.
//!
//! A thread adds to its own counters with a load and a store, in cache lines that no other thread writes.
//! Adding to the shared ones takes an atomic addition. No counter is ever reset: a place keeps its counts
//! when its thread ends, and the next thread goes on from them. Sums wrap at 2^64.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `hits` | the owner (store, Release); in the shared group any thread (addition, Release) | the returns before: see below |
//! | all others | the owner (store, Relaxed); in the shared group any thread (addition, Relaxed) | nothing |
//!
//! Snapshots read all of them (Relaxed). A thread that reads all hits, fences (Acquire) and then reads all
//! returns finds at least the returns that made those hits possible. So it finds no more slots in use than
//! there were.

use crate::slots::class::CLASSES;
use crate::slots::lane::{LANES, Lane};
use crate::stats::{ClassStats, Stats};
use crate::sync::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

/// The counters of one lane.
#[repr(C)]
pub(crate) struct LaneCounters {
    pub(crate) hits: AtomicU64,
    pub(crate) requested_bytes: AtomicU64,
    pub(crate) returns: AtomicU64,
    pub(crate) reallocs_in_place: AtomicU64,
}

/// The reason why a call goes to the fallback.
#[derive(Clone, Copy)]
pub(crate) enum FallbackReason {
    /// No slot of this class was free.
    Miss(usize),
    /// All slots of this class that the layout may have are taken; others may be held back for larger layouts.
    HeldBack(usize),
    /// The layout is below the floor of this class.
    BelowFloor(usize),
    /// No class has slots that large.
    TooLarge,
    /// No class has slots that are both large enough and aligned enough.
    OverAligned,
    /// The pools are switched off, or could not be reserved.
    Disabled,
    /// The pools are being reserved.
    Starting,
    /// A block of the fallback does not grow.
    ShrunkInFallback,
    /// A block shrank to at most a quarter of its slot, and left it.
    ShrunkToFallback,
}

impl FallbackReason {
    /// Returns the reason for a request that found no slot in the lane.
    #[inline(always)]
    pub(crate) fn of_exhausted(lane: Lane) -> Self {
        if lane.is_held_back() { Self::Miss(lane.class()) } else { Self::HeldBack(lane.class()) }
    }
}

/// Requests that a class did not serve, by reason.
#[repr(C)]
struct UnservedByClass {
    misses: AtomicU64,
    held_back: AtomicU64,
    below_floor: AtomicU64,
}

/// The counters that belong to no lane.
#[repr(C)]
pub(crate) struct Counters {
    pub(crate) fallback_bytes: AtomicU64,
    too_large: AtomicU64,
    unserved: [UnservedByClass; CLASSES],
    over_aligned: AtomicU64,
    disabled: AtomicU64,
    starting: AtomicU64,
    shrunk_in_fallback: AtomicU64,
    shrunk_to_fallback: AtomicU64,
    pub(crate) reallocs_moved: AtomicU64,
    memsets_skipped: AtomicU64,
    memsets_done: AtomicU64,
}

/// The counters that threads without their own share, on separate cache lines. All zeros are valid.
#[repr(C, align(128))]
pub(crate) struct SharedCounters {
    pub(crate) lanes: [LaneCounters; LANES],
    pub(crate) rest: Counters,
}

/// Whether threads count in their own counters. `--cfg framepool_stats="off"` builds the crate without, only
/// to measure what counting costs.
const COUNTS: bool = cfg!(not(framepool_stats = "off"));

/// A function that adds to a counter: [`owned`] or [`shared`].
pub(crate) type Add = fn(&AtomicU64, u64);

/// Adds to a counter that only this thread writes.
#[inline(always)]
pub(crate) fn owned(counter: &AtomicU64, n: u64) {
    if COUNTS {
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    }
}

/// Adds to a counter that all threads may write.
pub(crate) fn shared(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

impl LaneCounters {
    pub(crate) const fn new() -> Self {
        Self {
            hits: AtomicU64::new(0),
            requested_bytes: AtomicU64::new(0),
            returns: AtomicU64::new(0),
            reallocs_in_place: AtomicU64::new(0),
        }
    }

    /// Counts a hit of `bytes` bytes. For the owner of these counters.
    #[inline(always)]
    pub(crate) fn count_hit(&self, bytes: usize) {
        owned(&self.requested_bytes, bytes as u64);
        if COUNTS {
            self.hits.store(self.hits.load(Relaxed).wrapping_add(1), Release);
        }
    }

    /// Counts a hit of `bytes` bytes. For any thread.
    pub(crate) fn count_shared_hit(&self, bytes: usize) {
        shared(&self.requested_bytes, bytes as u64);
        self.hits.fetch_add(1, Release);
    }

    /// Adds all counters except the hits to `stats`.
    pub(crate) fn add_to(&self, stats: &mut ClassStats) {
        add(&mut stats.requested_bytes, &self.requested_bytes);
        add(&mut stats.returns, &self.returns);
        add(&mut stats.reallocs_in_place, &self.reallocs_in_place);
    }
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            fallback_bytes: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
            unserved: [const {
                UnservedByClass {
                    misses: AtomicU64::new(0),
                    held_back: AtomicU64::new(0),
                    below_floor: AtomicU64::new(0),
                }
            }; CLASSES],
            over_aligned: AtomicU64::new(0),
            disabled: AtomicU64::new(0),
            starting: AtomicU64::new(0),
            shrunk_in_fallback: AtomicU64::new(0),
            shrunk_to_fallback: AtomicU64::new(0),
            reallocs_moved: AtomicU64::new(0),
            memsets_skipped: AtomicU64::new(0),
            memsets_done: AtomicU64::new(0),
        }
    }

    /// Counts a call of the fallback for `bytes` bytes. For the owner of these counters.
    #[inline(always)]
    pub(crate) fn count_fallback(&self, reason: FallbackReason, bytes: usize) {
        owned(self.fallback_calls(reason), 1);
        owned(&self.fallback_bytes, bytes as u64);
    }

    /// Returns the counter of the fallback's calls for one reason.
    #[inline(always)]
    pub(crate) fn fallback_calls(&self, reason: FallbackReason) -> &AtomicU64 {
        match reason {
            FallbackReason::Miss(class) => &self.unserved[class].misses,
            FallbackReason::HeldBack(class) => &self.unserved[class].held_back,
            FallbackReason::BelowFloor(class) => &self.unserved[class].below_floor,
            FallbackReason::TooLarge => &self.too_large,
            FallbackReason::OverAligned => &self.over_aligned,
            FallbackReason::Disabled => &self.disabled,
            FallbackReason::Starting => &self.starting,
            FallbackReason::ShrunkInFallback => &self.shrunk_in_fallback,
            FallbackReason::ShrunkToFallback => &self.shrunk_to_fallback,
        }
    }

    /// Returns the counter of calls of `alloc_zeroed` that found their slot clean, or of those that did not.
    #[inline(always)]
    pub(crate) fn memsets(&self, is_clean: bool) -> &AtomicU64 {
        if is_clean { &self.memsets_skipped } else { &self.memsets_done }
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        for (sum, unserved) in stats.classes.iter_mut().zip(&self.unserved) {
            add(&mut sum.misses, &unserved.misses);
            add(&mut sum.held_back, &unserved.held_back);
            add(&mut sum.below_floor, &unserved.below_floor);
        }
        add(&mut stats.fallback_bytes, &self.fallback_bytes);
        add(&mut stats.too_large, &self.too_large);
        add(&mut stats.over_aligned, &self.over_aligned);
        add(&mut stats.disabled, &self.disabled);
        add(&mut stats.starting, &self.starting);
        add(&mut stats.shrunk_in_fallback, &self.shrunk_in_fallback);
        add(&mut stats.shrunk_to_fallback, &self.shrunk_to_fallback);
        add(&mut stats.reallocs_moved, &self.reallocs_moved);
        add(&mut stats.memsets_skipped, &self.memsets_skipped);
        add(&mut stats.memsets_done, &self.memsets_done);
    }
}

pub(crate) fn add(sum: &mut u64, counter: &AtomicU64) {
    *sum = sum.wrapping_add(counter.load(Relaxed));
}
