//! Where a thread counts what it asks of the pools.

use crate::metadata::published::MetadataCell;
use crate::slots::lane::Lane;
use crate::stats::counters::{self, Add, Counters, LaneCounters};
use crate::thread::current::OwnState;

/// Where this thread counts.
#[derive(Clone, Copy)]
pub(crate) enum Tally<'a> {
    /// In its own place: plain loads and stores.
    OwnState(OwnState),
    /// Where all do that have none: atomic additions. Which counters those are is asked when something is counted, for the pools may
    /// become ready meanwhile.
    Shared(&'a MetadataCell),
}

impl Tally<'_> {
    /// This thread's place, if it has one.
    #[inline]
    pub(crate) fn own(self) -> Option<OwnState> {
        match self {
            Self::OwnState(own) => Some(own),
            Self::Shared(_) => None,
        }
    }

    /// Counts a hit of `bytes` bytes.
    #[inline]
    pub(crate) fn hit(self, lane: Lane, bytes: usize) {
        match self {
            Self::OwnState(own) => own.with(|guard| guard.counters(lane).count_hit(bytes)),
            Self::Shared(cell) => {
                cell.shared()
                    .into_iter()
                    .for_each(|shared| shared.lanes[lane.index()].count_shared_hit(bytes));
            }
        }
    }

    /// Adds to the counters of a lane that `update` picks.
    #[inline]
    pub(crate) fn lane(self, lane: Lane, update: impl Fn(&LaneCounters, Add)) {
        match self {
            Self::OwnState(own) => own.with(|guard| update(guard.counters(lane), counters::owned)),
            Self::Shared(cell) => {
                cell.shared()
                    .into_iter()
                    .for_each(|shared| update(&shared.lanes[lane.index()], counters::shared));
            }
        }
    }

    /// Adds to the other counters that `update` picks.
    #[inline]
    pub(crate) fn count(self, update: impl Fn(&Counters, Add)) {
        match self {
            Self::OwnState(own) => own.with(|guard| update(guard.rest(), counters::owned)),
            Self::Shared(cell) => {
                update(cell.shared().map_or(cell.early(), |shared| &shared.rest), counters::shared);
            }
        }
    }
}
