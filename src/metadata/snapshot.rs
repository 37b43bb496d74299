//! Sums over all threads: the statistics, and how many slots of a class are live.
//!
//! Everything that the sums need lies in the metadata. It is still
//! there when the program exits, when the `PoolAlloc` may be gone or elsewhere.

use crate::metadata::Metadata;
use crate::metadata::figures::{Figures, add_table_to};
use crate::slots::lane::Lane;
use crate::stats::{Recorded, Reservation, Stats};
use crate::sync::{Ordering::Acquire, fence};

impl Metadata {
    /// Updates a class's peak, if more of its slots may be live than at any earlier sum.
    #[inline]
    pub(crate) fn look_at_peak(&self, class: usize) {
        let lanes = [Lane::new(class, false), Lane::new(class, true)];
        let free = lanes.map(|lane| self.pool(lane).set().free()).iter().sum();
        if self.peaks[class].may_rise(self.slots(class), free) {
            self.note_peak(class, free);
        }
    }

    /// Updates a class's peak after a request that may have every slot of the class found none.
    pub(crate) fn look_at_peak_of_miss(&self, class: usize) {
        if self.peaks[class].is_below(self.slots(class)) {
            self.note_peak(class, 0);
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn note_peak(&self, class: usize, free: usize) {
        let hits = self.figures().sum(class, |counters| &counters.hits);
        fence(Acquire);
        let returns = self.figures().sum(class, |counters| &counters.returns);
        let in_use = hits.saturating_sub(returns) as usize;
        self.peaks[class].note(in_use, free);
    }

    /// The counters of all threads.
    fn figures(&self) -> Figures<'_> {
        Figures { states: self.used_states(), shared: &self.shared }
    }

    /// The number of slots of a class.
    fn slots(&self, class: usize) -> usize {
        self.lanes[Lane::new(class, true).index()].slab.slots
    }

    /// Returns the statistics without what was counted before there was metadata.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counts();
        self.add_sizes_to(&mut stats);
        stats
    }

    /// Adds the counts by size of refused requests to `stats`.
    pub(crate) fn add_sizes_to(&self, stats: &mut Stats) {
        self.figures().add_sizes_to(stats);
    }

    /// Returns the statistics without the counts by size.
    pub(crate) fn counts(&self) -> Stats {
        let reservation = Reservation::from_code(self.outcome).unwrap_or_default();
        let mut stats = Stats { reservation, recording: Recorded(self.recording), ..Stats::default() };
        let figures = self.figures();
        for (class, hits) in stats.classes.iter_mut().zip(figures.hits()) {
            class.hits = hits;
        }
        fence(Acquire);
        figures.add_to(&mut stats);
        let demand = |class| self.recording.map_or(0, |recording| recording.peak_demand(class));
        add_table_to(&mut stats, &self.lanes, &self.peaks, demand);
        stats
    }
}
