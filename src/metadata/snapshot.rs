//! Sums over all threads: the statistics, and how many slots of a class are live.
//!
//! All hits are read before all returns, so their difference is never above the truth: see
//! [`counters`](crate::stats::counters). Everything that the sums need lies in the metadata. It is still
//! there when the program exits, when the `PoolAlloc` may be gone or elsewhere.

use crate::metadata::Metadata;
use crate::slots::class::Class;
use crate::slots::lane::Lane;
use crate::stats::add::sum_up;
use crate::stats::counters::LaneCounters;
use crate::stats::{Recorded, Reservation, Stats};
use crate::sync::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
    fence,
};
use crate::thread::state::ThreadState;

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
        let hits = self.sum(class, |counters| &counters.hits);
        fence(Acquire);
        let returns = self.sum(class, |counters| &counters.returns);
        let in_use = hits.saturating_sub(returns) as usize;
        self.peaks[class].note(in_use, free);
    }

    fn sum(&self, class: usize, counter: impl Fn(&LaneCounters) -> &AtomicU64) -> u64 {
        let mut sum = 0;
        for lane in [Lane::new(class, false), Lane::new(class, true)] {
            self.for_each_place(|state| sum_up(&mut sum, counter(state.lane_counters(lane))));
            sum_up(&mut sum, counter(&self.shared.lanes[lane.index()]));
        }
        sum
    }

    fn for_each_place(&self, f: impl FnMut(&ThreadState)) {
        (0..self.places.used()).map(|place| self.thread_state(place)).for_each(f);
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
        self.for_each_place(|state| {
            if state.counters().big_refusals.load(Relaxed) > 0 {
                state.refused().add_to(&mut stats.refused);
            }
        });
        self.shared.by_size.add_to(&mut stats.refused);
        self.shared.refused.add_to(stats);
    }

    /// Returns the statistics without the counts by size.
    pub(crate) fn counts(&self) -> Stats {
        let reservation = if self.base.is_null() {
            Reservation::Failed(self.exceeded_limit)
        } else if self.is_off_for_valgrind {
            Reservation::OffForValgrind
        } else {
            Reservation::Ready
        };
        let mut stats = Stats { reservation, ..Stats::default() };
        for class in Class::ALL {
            stats.classes[class as usize].hits = self.sum(class as usize, |counters| &counters.hits);
        }
        fence(Acquire);
        for lane in Lane::ALL {
            let class = &mut stats.classes[lane.class()];
            self.for_each_place(|state| state.lane_counters(lane).add_to(class));
            self.shared.lanes[lane.index()].add_to(class);
        }
        self.for_each_place(|state| state.counters().add_to(&mut stats));
        self.shared.rest.add_to(&mut stats);
        for (class, index) in stats.classes.iter_mut().zip(0..) {
            let slab = &self.lanes[Lane::new(index, true).index()].slab;
            class.slot_bytes = slab.slot_bytes as u64;
            class.slots = slab.slots as u64;
            let [open, held_back] =
                [false, true].map(|is_held_back| self.pool(Lane::new(index, is_held_back)).set().slots());
            class.held_back_slots = if open > 0 { held_back as u64 } else { 0 };
            class.in_use = class.hits.saturating_sub(class.returns);
            class.peak = self.peaks[index].raise_to(class.in_use as usize) as u64;
            class.peak_demand = self.recording.map_or(0, |recording| recording.peak_demand(index)) as u64;
        }
        stats.recording = Recorded(self.recording);
        stats
    }
}
