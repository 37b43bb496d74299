//! Where a thread counts, its counts, and the sums of all threads.

use super::{LiveSlot, Pools};
use crate::lifecycle::serving::State;
use crate::metadata::{Metadata, Tally};
use crate::os::{self, asan};
use crate::slots::class::{CLASSES, Class};
use crate::slots::lane::Lane;
use crate::stats::counters::FallbackReason;
use crate::stats::{Reservation, Stats};
#[cfg(doc)]
use crate::tunables::CONSOLIDATION_PERIOD;
use crate::tunables::REFUSED_FROM;

impl Pools {
    /// The counters that all threads without a place share.
    pub(crate) fn shared_tally(&self) -> Tally<'_> {
        Tally::Shared(&self.metadata_cell)
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.metadata_cell.get().map_or_else(|| self.stats_of_none(), Metadata::counts);
        self.metadata_cell.early().add_to(&mut stats);
        self.metadata_cell.add_sizes_to(&mut stats);
        stats
    }

    /// The statistics before there is metadata, or if there was no memory for it.
    fn stats_of_none(&self) -> Stats {
        let mut stats = Stats::default();
        if self.serving.state() == State::Failed {
            // There was no memory for the metadata, where the exceeded limit would be noted.
            stats.reservation = Reservation::Failed(None);
        }
        let config = self.config();
        for class in Class::ALL {
            let stats = &mut stats.classes[class as usize];
            stats.slot_bytes = config.slot_bytes(class) as u64;
            stats.slots = config.slots(class) as u64;
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

    /// Counts a call of the fallback for `size` bytes, which it served or not. Returns whether to ask if the fallback
    /// [should consolidate](Self::have_taken_large_requests).
    pub(crate) fn count_fallback(
        &self,
        tally: Tally<'_>,
        reason: FallbackReason,
        size: usize,
        is_served: bool,
    ) -> bool {
        let Some(refusal) = reason.refusal() else {
            return tally.fallback(reason, if is_served { size } else { 0 });
        };
        if !is_served {
            self.metadata_cell.refused_shared().count_failed(refusal, size);
            tally.fallback(reason, 0)
        } else if size < REFUSED_FROM {
            tally.fallback(reason, size)
        } else {
            // The size first: a range that has requests has a largest one.
            self.metadata_cell.refused_shared().note_size(refusal, size);
            tally.big_refusal(reason, refusal, size);
            // A new block of this size makes the fallback consolidate by itself.
            false
        }
    }

    /// Whether the pools have served this thread since the last call with blocks that are so large that glibc would have
    /// [consolidated](CONSOLIDATION_PERIOD) its heap for them. Not before start-up is over.
    pub(crate) fn have_taken_large_requests(&self, tally: Tally<'_>) -> bool {
        let is_large =
            |lane: &Lane| self.config().slot_bytes(Class::ALL[lane.class()]) > os::CONSOLIDATES_FROM;
        tally.have_been_used(Lane::ALL.into_iter().filter(is_large))
    }

    /// Counts a new block of the fallback, if it is too large for every slot.
    pub(crate) fn too_large_block_begins(&self, size: usize) {
        if self.is_too_large(size) {
            self.metadata_cell.refused_shared().too_large.rise();
        }
    }

    /// Counts the end of such a block. One from before start-up was over was not counted when it began, and ends as one of
    /// the counted ones, if there are any.
    pub(crate) fn too_large_block_ends(&self, size: usize) {
        if self.is_too_large(size) {
            self.metadata_cell.refused_shared().too_large.fall();
        }
    }

    /// Whether blocks of this size are counted while they live: those larger than every slot. Before start-up
    /// is over, none is.
    fn is_too_large(&self, size: usize) -> bool {
        size >= REFUSED_FROM
            && matches!(self.serving.state(), State::Ready | State::Failed)
            && size > self.plan().classes[CLASSES - 1].slab.slot_bytes
    }

    /// Counts a `realloc` to `size` bytes that stays in its slot.
    #[inline(always)]
    pub(crate) fn count_in_place(&self, tally: Tally<'_>, found: LiveSlot, size: usize) {
        tally.realloc_in_place(found.lane, size);
        asan::unpoison_prefix(found.start, size, self.slot_bytes(found));
    }
}
