//! The statistics of the pools: a `Copy` snapshot of plain numbers, its sums and rates, and its table.
//!
//! A snapshot adds up counters that each thread keeps for itself, without a lock or an allocation. It is
//! exact if no thread is inside the allocator. While threads are busy, each figure was true a moment ago.
//!
//! Each request ends in exactly one of these cells (all exact if no thread is inside):
//!
//! | request | served by a slot | served by the fallback |
//! |---|---|---|
//! | `alloc`, `alloc_zeroed` | hit | miss or bypass |
//! | `realloc` of a slot that grows, or shrinks to more than a quarter of it | in place, or hit (moved) | miss or bypass (moved) |
//! | `realloc` of a slot that shrinks to at most a quarter of it | hit (moved), or in place | shrunk to the fallback (moved) |
//! | `realloc` of a fallback block that grows | hit (moved) | miss or bypass |
//! | `realloc` of a fallback block that does not grow | | shrunk in the fallback |
//!
//! The requests of a thread inside the fallback or inside [`unpooled`](crate::PoolAlloc::unpooled) are an
//! exception: the fallback serves them, and they are not counted. (A slot that is freed or resized there
//! counts.)
//!
//! The sums follow from the table:
//!
//! - `total_allocs = hits + misses + bypasses` counts each search for a place.
//! - `fallbacks = misses + bypasses + shrunk in the fallback + shrunk to the fallback` counts each call that
//!   the fallback sees.
//! - `in_use = hits - returns` in each class.
//!
//! Bytes are counted as a heap profiler counts them: the size of each allocation, and the new size of each
//! reallocation. A request that got no memory at all is a miss or a bypass too, but has no bytes. The exception
//! is a request below 16 KiB that a `PoolAlloc` passes on: it is counted before the fallback is asked.

pub(crate) mod add;
mod class_stats;
pub(crate) mod counters;
mod display;
pub(crate) mod level;
pub(crate) mod peak;
mod reasons;
pub(crate) mod recording;
pub(crate) mod refused;
mod reservation;
mod too_large;
pub(crate) mod units;

use core::fmt;

pub use class_stats::ClassStats;
pub use display::NamedStats;
pub use reasons::{Bypass, Refusal};
pub use refused::RefusedSizes;
pub use reservation::Reservation;
pub use too_large::TooLarge;

use crate::slots::class::{CLASSES, Class};
use crate::stats::recording::Recording;
use crate::stats::refused::RefusedTable;

/// Returns the share that `part` has of both; `None` if both are 0.
fn share(part: u64, other: u64) -> Option<f64> {
    (part > 0 || other > 0).then(|| part as f64 / (part + other) as f64)
}

/// A snapshot of an allocator's statistics: see [`PoolAlloc::stats`](crate::PoolAlloc::stats).
///
/// Its `Display` writes a line for each class, the bypasses by reason if there are any, a denied reservation,
/// the overall hit rate, and the [pooled share](Self::pooled_share) of all requested bytes. If requests were
/// [too large](Self::too_large) for every slot, a last line says which table would have served them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    pub(crate) classes: [ClassStats; CLASSES],
    pub(crate) reservation: Reservation,
    pub(crate) too_large: u64,
    pub(crate) over_aligned: u64,
    pub(crate) disabled: u64,
    pub(crate) starting: u64,
    pub(crate) refused: RefusedTable,
    pub(crate) too_large_peak: u64,
    pub(crate) shrunk_bytes: u64,
    pub(crate) shrunk_in_fallback: u64,
    pub(crate) shrunk_to_fallback: u64,
    pub(crate) reallocs_moved: u64,
    pub(crate) memsets_skipped: u64,
    pub(crate) memsets_done: u64,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) recording: Recorded,
}

/// The recording of the allocator, if there is one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Recorded(pub(crate) Option<&'static Recording>);

/// Compares the addresses: whether both are the same recording.
impl PartialEq for Recorded {
    fn eq(&self, other: &Self) -> bool {
        let address = |recorded: &Self| recorded.0.map(core::ptr::from_ref);
        address(self) == address(other)
    }
}

impl Eq for Recorded {}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.is_some().fmt(f)
    }
}

impl Stats {
    /// Returns the statistics of one class.
    #[must_use]
    pub fn class(&self, class: Class) -> ClassStats {
        self.classes[class as usize]
    }

    /// Iterates over the classes and their statistics, smallest first.
    #[must_use]
    pub fn classes(&self) -> impl ExactSizeIterator<Item = (Class, ClassStats)> {
        Class::ALL.into_iter().zip(self.classes)
    }

    /// Returns whether the pools have their memory.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        self.reservation
    }

    /// Returns the number of requests that got a slot.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.sum(|class| class.hits)
    }

    /// Returns the number of requests that fit a class of which no slot was free.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.sum(|class| class.misses)
    }

    /// Returns the number of requests that bypassed the pools, for all reasons together.
    #[must_use]
    pub fn bypasses(&self) -> u64 {
        Bypass::ALL.iter().map(|&reason| self.bypassed(reason)).sum()
    }

    /// Returns the number of requests that bypassed the pools for one reason.
    #[must_use]
    pub fn bypassed(&self, reason: Bypass) -> u64 {
        match reason {
            Bypass::TooLarge => self.too_large,
            Bypass::OverAligned => self.over_aligned,
            Bypass::BelowFloor => self.sum(|class| class.below_floor),
            Bypass::HeldBack => self.sum(|class| class.held_back),
            Bypass::Disabled => self.disabled,
            Bypass::Starting => self.starting,
        }
    }

    /// Returns the number of requests that no slot served, for one reason.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "the metrics show it"))]
    pub(crate) fn refused_for(&self, reason: Refusal) -> u64 {
        match reason {
            Refusal::Miss => self.misses(),
            Refusal::Bypass(reason) => self.bypassed(reason),
        }
    }

    /// Returns the number of requests that looked for a place: hits, misses and bypasses.
    #[must_use]
    pub fn total_allocs(&self) -> u64 {
        self.hits() + self.misses() + self.bypasses()
    }

    /// Returns the bytes of all requests that were served, by slots or by the fallback: the size of each
    /// allocation, and the new size of each reallocation.
    ///
    /// The sum wraps at 2^64.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.pooled_bytes().wrapping_add(self.fallback_bytes())
    }

    /// Returns the bytes of the requests that slots served: the second part of [`served`](Self::served).
    #[must_use]
    pub fn pooled_bytes(&self) -> u64 {
        self.served().1
    }

    /// Returns the share of all requested bytes that slots served, 0.0 to 1.0; `None` if nothing was
    /// requested.
    ///
    /// It shows whether the table fits the program. The [hit rate](Self::hit_rate) does not, because it leaves
    /// out what bypasses the pools.
    #[must_use]
    pub fn pooled_share(&self) -> Option<f64> {
        let total = self.total_bytes();
        (total > 0).then(|| self.pooled_bytes() as f64 / total as f64)
    }

    /// Returns the requests that no slot served, by size and reason: the misses and the bypasses.
    ///
    /// Iterates from small sizes to large ones, over the ranges that had requests. There are 16 ranges: below
    /// 16 KiB, then powers of two, and all from 256 MiB on. While threads are busy, a request may be missing
    /// here that is counted elsewhere, or be in the first range instead of its own.
    ///
    /// ```
    /// use framepool::{PoolAlloc, Refusal};
    ///
    /// #[global_allocator]
    /// static ALLOC: PoolAlloc = PoolAlloc::new();
    ///
    /// let frame = vec![0_u8; 1920 * 1080 * 3 / 2];
    /// let stats = ALLOC.stats();
    /// let large = stats.refused().find(|sizes| sizes.from_bytes == 2 << 20).unwrap();
    /// assert_eq!((large.requests, large.largest), (1, 3_110_400));
    /// # drop(frame);
    /// ```
    pub fn refused(&self) -> impl Iterator<Item = RefusedSizes> {
        self.refused.iter()
    }

    /// Returns the number of requests that got no memory at all.
    ///
    /// Either the fallback had none too, or it was not asked: a [`BufferPool`](crate::BufferPool) asks it only in
    /// some methods. These requests are among the misses and bypasses, and their bytes are counted nowhere. A
    /// request below 16 KiB that a [`PoolAlloc`](crate::PoolAlloc) passes on counts as served.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.refused.failed()
    }

    /// Returns the number of requests passed to the fallback: misses, bypasses, and reallocations that shrink
    /// a block of the fallback or move a shrunk block there.
    #[must_use]
    pub fn fallbacks(&self) -> u64 {
        self.misses() + self.bypasses() + self.shrunk_in_fallback + self.shrunk_to_fallback
    }

    /// Returns the number of blocks that shrank to at most a quarter of their slot and went to the fallback.
    ///
    /// Either no slot of their new size was free, or their new size was below its floor. They are neither
    /// misses nor bypasses.
    #[must_use]
    pub fn shrunk_to_fallback(&self) -> u64 {
        self.shrunk_to_fallback
    }

    /// Returns the bytes of the requests that the fallback served.
    ///
    /// A request below 16 KiB that a [`PoolAlloc`](crate::PoolAlloc) passes on counts even if the fallback has no
    /// memory for it.
    #[must_use]
    pub fn fallback_bytes(&self) -> u64 {
        self.refused.bytes().wrapping_add(self.shrunk_bytes)
    }

    /// Returns the number of requests that a slot served, and their bytes: hits and reallocations in place.
    #[must_use]
    pub fn served(&self) -> (u64, u64) {
        (self.hits() + self.reallocs_in_place(), self.sum(|class| class.requested_bytes))
    }

    /// Returns the number of slots given back.
    #[must_use]
    pub fn returns(&self) -> u64 {
        self.sum(|class| class.returns)
    }

    /// Returns the number of reallocations that stayed in their slot.
    #[must_use]
    pub fn reallocs_in_place(&self) -> u64 {
        self.sum(|class| class.reallocs_in_place)
    }

    /// Returns the number of reallocations that moved a block into, out of, or between the pools.
    #[must_use]
    pub fn reallocs_moved(&self) -> u64 {
        self.reallocs_moved
    }

    /// Returns the number of calls of `alloc_zeroed` that found their slot clean, so that they needed no
    /// memset.
    #[must_use]
    pub fn memsets_skipped(&self) -> u64 {
        self.memsets_skipped
    }

    /// Returns the number of calls of `alloc_zeroed` that had to clear their slot.
    #[must_use]
    pub fn memsets_done(&self) -> u64 {
        self.memsets_done
    }

    /// Returns `hits / (hits + misses)`, 0.0 to 1.0; 0.0 if there were neither. Bypasses do not count: see
    /// [`pooled_share`](Self::pooled_share).
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        share(self.hits(), self.misses()).unwrap_or(0.0)
    }

    /// Returns `misses / (hits + misses)`, 0.0 to 1.0; 0.0 if there were neither.
    #[must_use]
    pub fn miss_rate(&self) -> f64 {
        share(self.misses(), self.hits()).unwrap_or(0.0)
    }

    /// Whether these may be the counts of a process: no sum of them overflows.
    pub(crate) fn is_plausible(&self) -> bool {
        const MAX: u64 = 1 << 56;
        let of_class = |class: &ClassStats| {
            [
                class.hits,
                class.misses,
                class.returns,
                class.below_floor,
                class.held_back,
                class.reallocs_in_place,
            ]
        };
        let rest = [
            self.too_large,
            self.over_aligned,
            self.disabled,
            self.starting,
            self.too_large_peak,
            self.shrunk_in_fallback,
            self.shrunk_to_fallback,
            self.reallocs_moved,
            self.memsets_skipped,
            self.memsets_done,
        ];
        let by_size = self.refused().flat_map(|sizes| [sizes.requests, sizes.failed]);
        self.classes.iter().flat_map(of_class).chain(rest).chain(by_size).all(|count| count <= MAX)
    }

    /// Returns what happened since an earlier snapshot of the same allocator.
    ///
    /// Counts are differences, 0 at minimum. `in_use`, `peak`, `peak_demand`, `largest`, `at_once` and the
    /// reservation stay as they are now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut classes = self.classes;
        for (class, earlier) in classes.iter_mut().zip(&earlier.classes) {
            *class = class.since(earlier);
        }
        Self {
            classes,
            reservation: self.reservation,
            too_large: self.too_large.saturating_sub(earlier.too_large),
            over_aligned: self.over_aligned.saturating_sub(earlier.over_aligned),
            disabled: self.disabled.saturating_sub(earlier.disabled),
            starting: self.starting.saturating_sub(earlier.starting),
            refused: self.refused.since(&earlier.refused),
            too_large_peak: self.too_large_peak,
            shrunk_bytes: self.shrunk_bytes.saturating_sub(earlier.shrunk_bytes),
            shrunk_in_fallback: self.shrunk_in_fallback.saturating_sub(earlier.shrunk_in_fallback),
            shrunk_to_fallback: self.shrunk_to_fallback.saturating_sub(earlier.shrunk_to_fallback),
            reallocs_moved: self.reallocs_moved.saturating_sub(earlier.reallocs_moved),
            memsets_skipped: self.memsets_skipped.saturating_sub(earlier.memsets_skipped),
            memsets_done: self.memsets_done.saturating_sub(earlier.memsets_done),
            recording: self.recording,
        }
    }

    /// Returns the table under a heading: `[buffer_pool] Video encoder pool statistics:` for `named("Video
    /// encoder pool")`, and `[buffer_pool] Global pool statistics:` for `named(None)`.
    pub fn named<'a>(&self, name: impl Into<Option<&'a str>>) -> NamedStats<'a> {
        NamedStats { stats: *self, name: name.into().unwrap_or("Global pool") }
    }

    fn sum(&self, count: impl Fn(&ClassStats) -> u64) -> u64 {
        self.classes.iter().map(count).fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests;
