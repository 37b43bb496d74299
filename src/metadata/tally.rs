//! The choice of counters: where a thread counts what it asks of the pools.

use crate::metadata::published::MetadataCell;
use crate::slots::lane::Lane;
use crate::stats::Refusal;
use crate::stats::add::{self, Add};
use crate::stats::counters::{Counters, FallbackReason, LaneCounters};
use crate::thread::current::OwnState;
#[cfg(doc)]
use crate::tunables::CONSOLIDATION_PERIOD;

/// The counters that this thread uses.
#[derive(Clone, Copy)]
pub(crate) enum Tally<'a> {
    /// Those in its own place: plain loads and stores.
    Own(OwnState),
    /// Those that all threads without a place share: atomic additions. They are looked up for each count,
    /// because the pools may become ready meanwhile.
    Shared(&'a MetadataCell),
}

impl Tally<'_> {
    /// Returns this thread's place, if it has one.
    #[inline]
    pub(crate) fn own(self) -> Option<OwnState> {
        match self {
            Self::Own(own) => Some(own),
            Self::Shared(_) => None,
        }
    }

    /// Counts a hit of `bytes` bytes.
    #[inline]
    pub(crate) fn hit(self, lane: Lane, bytes: usize) {
        match self {
            Self::Own(own) => own.with(|guard| guard.counters(lane).count_hit(bytes)),
            Self::Shared(cell) => {
                cell.shared().map(|shared| shared.lanes[lane.index()].count_shared_hit(bytes))
            }
        };
    }

    /// Counts a slot that is given back.
    #[inline]
    pub(crate) fn give(self, lane: Lane) {
        self.with_lane(lane, |counters, add| _ = add(&counters.returns, 1));
    }

    /// Counts a reallocation to `bytes` bytes that stays in its slot.
    #[inline]
    pub(crate) fn realloc_in_place(self, lane: Lane, bytes: usize) {
        self.with_lane(lane, |counters, add| {
            add(&counters.reallocs_in_place, 1);
            add(&counters.requested_bytes, bytes as u64);
        });
    }

    /// Counts a call of the fallback for `bytes` bytes, and returns whether to ask if the fallback
    /// [should consolidate](CONSOLIDATION_PERIOD).
    #[inline]
    pub(crate) fn fallback(self, reason: FallbackReason, bytes: usize) -> bool {
        self.with_rest(|counters, add| counters.fallback_calls(reason).count(bytes, add)).unwrap_or(false)
    }

    /// Counts a call of the fallback as [`fallback`](Self::fallback) does, and by size.
    pub(crate) fn big_refusal(self, reason: FallbackReason, refusal: Refusal, bytes: usize) {
        match self {
            Self::Own(own) => {
                own.with(|guard| {
                    let counters = guard.rest();
                    counters.count_fallback(reason, bytes);
                    add::owned(&counters.big_refusals, 1);
                    guard.refused().count(refusal, bytes, add::owned);
                });
            }
            Self::Shared(cell) => {
                self.fallback(reason, bytes);
                cell.by_size().count(refusal, bytes, add::shared);
            }
        }
    }

    /// Counts a reallocation that moved a block into, out of, or between the pools.
    #[inline]
    pub(crate) fn realloc_moved(self) {
        self.with_rest(|counters, add| add(&counters.reallocs_moved, 1));
    }

    /// Counts a call of `alloc_zeroed` that found its slot clean, or had to clear it.
    #[inline]
    pub(crate) fn zeroed(self, is_clean: bool) {
        self.with_rest(|counters, add| add(counters.memsets(is_clean), 1));
    }

    /// Returns whether these lanes had a hit, a free or a reallocation since the last call, as far as these counters
    /// tell.
    pub(crate) fn have_been_used(self, lanes: impl Iterator<Item = Lane>) -> bool {
        let sum = |uses: &mut dyn Iterator<Item = u64>| uses.fold(0, u64::wrapping_add);
        match self {
            Self::Own(own) => own
                .with(|guard| guard.rest().is_news(sum(&mut lanes.map(|lane| guard.counters(lane).uses())))),
            Self::Shared(cell) => cell.shared().map(|shared| {
                shared.rest.is_news(sum(&mut lanes.map(|lane| shared.lanes[lane.index()].uses())))
            }),
        }
        .unwrap_or(false)
    }

    /// Runs `update` on the counters of a lane, with the addition that is right for them: plain for this
    /// thread's own, atomic for shared ones.
    #[inline]
    fn with_lane(self, lane: Lane, update: impl Fn(&LaneCounters, Add)) {
        match self {
            Self::Own(own) => own.with(|guard| update(guard.counters(lane), add::owned)),
            Self::Shared(cell) => {
                cell.shared().map(|shared| update(&shared.lanes[lane.index()], add::shared))
            }
        };
    }

    /// Runs `update` on the counters that are not a lane's, with the addition that is right for them.
    #[inline]
    fn with_rest<R>(self, update: impl Fn(&Counters, Add) -> R) -> Option<R> {
        match self {
            Self::Own(own) => own.with(|guard| update(guard.rest(), add::owned)),
            Self::Shared(cell) => {
                Some(update(cell.shared().map_or(cell.early(), |shared| &shared.rest), add::shared))
            }
        }
    }
}
