//! Where a thread counts, its counts, and the sums of all threads.

use super::{LiveSlot, Pools};
use crate::lifecycle::serving::State;
use crate::metadata::{Metadata, Tally};
use crate::os::{self, asan};
use crate::slots::class::Class;
use crate::slots::lane::Lane;
use crate::stats::counters::FallbackReason;
use crate::stats::{Reservation, Stats};

impl Pools {
    /// The counters that all threads without a place share.
    pub(crate) fn shared_tally(&self) -> Tally<'_> {
        Tally::Shared(&self.metadata_cell)
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.metadata_cell.get().map_or_else(|| self.stats_of_none(), Metadata::stats);
        self.metadata_cell.early().add_to(&mut stats);
        stats
    }

    /// The statistics before there is metadata, or if there was no memory for it.
    fn stats_of_none(&self) -> Stats {
        let mut stats = Stats::default();
        if self.serving.state() == State::Failed {
            // There was no memory for the metadata, where the exceeded limit would be noted.
            stats.reservation = Reservation::Failed(None);
        }
        for class in Class::ALL {
            let stats = &mut stats.classes[class as usize];
            stats.slot_bytes = self.config.slot_bytes(class) as u64;
            stats.slots = self.config.slots(class) as u64;
        }
        stats
    }

    /// Returns where this thread counts. If necessary, it first reserves the pools and gives the thread a
    /// place.
    #[inline]
    pub(crate) fn tally(&self, source: os::Source<'_>) -> Tally<'_> {
        let own = self.own().or_else(|| {
            self.prepare(source);
            self.own()
        });
        own.map_or_else(|| self.shared_tally(), Tally::Own)
    }

    /// Counts a request of `size` bytes for which a lane has no slot.
    pub(crate) fn count_exhausted(&self, tally: Tally<'_>, lane: Lane, size: usize) {
        if lane.is_held_back() {
            self.metadata().look_at_peak_of_miss(lane.class());
        }
        tally.fallback(FallbackReason::of_exhausted(lane), size);
    }

    /// Counts a `realloc` to `size` bytes that stays in its slot.
    #[inline(always)]
    pub(crate) fn count_in_place(&self, tally: Tally<'_>, found: LiveSlot, size: usize) {
        tally.realloc_in_place(found.lane, size);
        asan::unpoison_prefix(found.start, size, self.slot_bytes(found));
    }
}
