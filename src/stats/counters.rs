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

use crate::layout::{layout_of, mix_all};
use crate::slots::class::CLASSES;
use crate::slots::lane::{LANES, Lane};
use crate::stats::add::{Add, COUNTS, owned, shared, sum_up};
use crate::stats::reasons::{Bypass, Refusal};
use crate::stats::refused::{RefusedBySize, RefusedShared, Sums};
use crate::stats::{ClassStats, Stats};
use crate::sync::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};
use crate::tunables::CONSOLIDATION_PERIOD;

/// The counters of one lane.
#[repr(C)]
pub(crate) struct LaneCounters {
    pub(crate) hits: AtomicU64,
    pub(crate) requested_bytes: AtomicU64,
    pub(crate) returns: AtomicU64,
    pub(crate) reallocs_in_place: AtomicU64,
}

/// The reason why a call goes to the fallback.
#[derive(Clone, Copy, Debug)]
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

    /// Returns the reason as the statistics name it; `None` for a shrink, which asks for no slot.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::Miss(_) => Refusal::Miss,
            Self::HeldBack(_) => Refusal::Bypass(Bypass::HeldBack),
            Self::BelowFloor(_) => Refusal::Bypass(Bypass::BelowFloor),
            Self::TooLarge => Refusal::Bypass(Bypass::TooLarge),
            Self::OverAligned => Refusal::Bypass(Bypass::OverAligned),
            Self::Disabled => Refusal::Bypass(Bypass::Disabled),
            Self::Starting => Refusal::Bypass(Bypass::Starting),
            Self::ShrunkInFallback | Self::ShrunkToFallback => return None,
        })
    }
}

/// The calls of the fallback for one reason, and the bytes that it served.
#[repr(C)]
pub(crate) struct FallbackCalls {
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl FallbackCalls {
    const fn new() -> Self {
        Self { calls: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Counts a call for `bytes` bytes, with the addition that is right for these counters. Returns whether to ask if the
    /// fallback [should consolidate](CONSOLIDATION_PERIOD).
    #[inline(always)]
    pub(crate) fn count(&self, bytes: usize, add: Add) -> bool {
        add(&self.bytes, bytes as u64);
        add(&self.calls, 1).is_multiple_of(CONSOLIDATION_PERIOD)
    }

    /// Adds the calls to a sum, and both to the sums of the refused requests.
    fn add_to(&self, calls: &mut u64, refused: &mut Sums) {
        sum_up(calls, &self.calls);
        sum_up(&mut refused.requests, &self.calls);
        sum_up(&mut refused.bytes, &self.bytes);
    }
}

/// The calls of the fallback for requests that a class did not serve, by reason.
#[repr(C)]
struct RefusedByClass {
    misses: FallbackCalls,
    held_back: FallbackCalls,
    below_floor: FallbackCalls,
}

/// The counters that belong to no lane.
#[repr(C)]
pub(crate) struct Counters {
    refused: [RefusedByClass; CLASSES],
    too_large: FallbackCalls,
    over_aligned: FallbackCalls,
    disabled: FallbackCalls,
    starting: FallbackCalls,
    shrunk_in_fallback: FallbackCalls,
    shrunk_to_fallback: FallbackCalls,
    /// The number of requests that are counted by size. A thread that has none never touches those counters.
    pub(crate) big_refusals: AtomicU64,
    pub(crate) reallocs_moved: AtomicU64,
    memsets_skipped: AtomicU64,
    memsets_done: AtomicU64,
    /// The number that the last [`is_news`](Self::is_news) was told.
    uses_seen: AtomicU64,
}

/// The counters that threads without their own share, on separate cache lines. All zeros are valid.
#[repr(C, align(128))]
pub(crate) struct SharedCounters {
    pub(crate) lanes: [LaneCounters; LANES],
    pub(crate) rest: Counters,
    pub(crate) by_size: RefusedBySize,
    pub(crate) refused: RefusedShared,
}

impl SharedCounters {
    pub(crate) const LAYOUT: u64 = mix_all(&[
        layout_of!(SharedCounters { lanes, rest, by_size, refused }),
        LaneCounters::LAYOUT,
        Counters::LAYOUT,
        RefusedBySize::LAYOUT,
        RefusedShared::LAYOUT,
    ]);
}

impl LaneCounters {
    pub(crate) const LAYOUT: u64 =
        layout_of!(LaneCounters { hits, requested_bytes, returns, reallocs_in_place });

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

    /// Returns the number of hits, frees and reallocations together. It may be off by what other threads do now.
    pub(crate) fn uses(&self) -> u64 {
        let mut uses = 0;
        sum_up(&mut uses, &self.hits);
        sum_up(&mut uses, &self.returns);
        sum_up(&mut uses, &self.reallocs_in_place);
        uses
    }

    /// Adds all counters except the hits to `stats`.
    pub(crate) fn add_to(&self, stats: &mut ClassStats) {
        sum_up(&mut stats.requested_bytes, &self.requested_bytes);
        sum_up(&mut stats.returns, &self.returns);
        sum_up(&mut stats.reallocs_in_place, &self.reallocs_in_place);
    }
}

impl Counters {
    pub(crate) const LAYOUT: u64 = mix_all(&[
        layout_of!(Counters {
            refused,
            too_large,
            over_aligned,
            disabled,
            starting,
            shrunk_in_fallback,
            shrunk_to_fallback,
            big_refusals,
            reallocs_moved,
            memsets_skipped,
            memsets_done,
            uses_seen,
        }),
        layout_of!(RefusedByClass { misses, held_back, below_floor }),
        layout_of!(FallbackCalls { calls, bytes }),
    ]);

    pub(crate) const fn new() -> Self {
        Self {
            refused: [const {
                RefusedByClass {
                    misses: FallbackCalls::new(),
                    held_back: FallbackCalls::new(),
                    below_floor: FallbackCalls::new(),
                }
            }; CLASSES],
            too_large: FallbackCalls::new(),
            over_aligned: FallbackCalls::new(),
            disabled: FallbackCalls::new(),
            starting: FallbackCalls::new(),
            shrunk_in_fallback: FallbackCalls::new(),
            shrunk_to_fallback: FallbackCalls::new(),
            big_refusals: AtomicU64::new(0),
            reallocs_moved: AtomicU64::new(0),
            memsets_skipped: AtomicU64::new(0),
            memsets_done: AtomicU64::new(0),
            uses_seen: AtomicU64::new(0),
        }
    }

    /// Counts a call of the fallback for `bytes` bytes, and returns whether to ask if the fallback
    /// [should consolidate](CONSOLIDATION_PERIOD). For the owner of these counters.
    #[inline(always)]
    pub(crate) fn count_fallback(&self, reason: FallbackReason, bytes: usize) -> bool {
        self.fallback_calls(reason).count(bytes, owned)
    }

    /// Returns whether this number of uses is another one than the last time.
    pub(crate) fn is_news(&self, uses: u64) -> bool {
        self.uses_seen.swap(uses, Relaxed) != uses
    }

    /// Returns the counters of the fallback's calls for one reason.
    #[inline(always)]
    pub(crate) fn fallback_calls(&self, reason: FallbackReason) -> &FallbackCalls {
        match reason {
            FallbackReason::Miss(class) => &self.refused[class].misses,
            FallbackReason::HeldBack(class) => &self.refused[class].held_back,
            FallbackReason::BelowFloor(class) => &self.refused[class].below_floor,
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
        let table = &mut stats.refused;
        for (sum, refused) in stats.classes.iter_mut().zip(&self.refused) {
            refused.misses.add_to(&mut sum.misses, table.first(Refusal::Miss));
            refused.held_back.add_to(&mut sum.held_back, table.first(Refusal::Bypass(Bypass::HeldBack)));
            refused
                .below_floor
                .add_to(&mut sum.below_floor, table.first(Refusal::Bypass(Bypass::BelowFloor)));
        }
        for (calls, sum, reason) in [
            (&self.too_large, &mut stats.too_large, Bypass::TooLarge),
            (&self.over_aligned, &mut stats.over_aligned, Bypass::OverAligned),
            (&self.disabled, &mut stats.disabled, Bypass::Disabled),
            (&self.starting, &mut stats.starting, Bypass::Starting),
        ] {
            calls.add_to(sum, table.first(Refusal::Bypass(reason)));
        }
        sum_up(&mut stats.shrunk_in_fallback, &self.shrunk_in_fallback.calls);
        sum_up(&mut stats.shrunk_to_fallback, &self.shrunk_to_fallback.calls);
        sum_up(&mut stats.shrunk_bytes, &self.shrunk_in_fallback.bytes);
        sum_up(&mut stats.shrunk_bytes, &self.shrunk_to_fallback.bytes);
        sum_up(&mut stats.reallocs_moved, &self.reallocs_moved);
        sum_up(&mut stats.memsets_skipped, &self.memsets_skipped);
        sum_up(&mut stats.memsets_done, &self.memsets_done);
    }
}
