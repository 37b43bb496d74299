//! The counters that statistics are summed up from, wherever they lie: in this process's metadata, or in a
//! [copy](crate::inspect) of another's.
//!
//! All hits are read before all returns, so their difference is never above the truth: see
//! [`counters`](crate::stats::counters).

use crate::metadata::LaneParts;
use crate::slots::class::CLASSES;
use crate::slots::lane::{LANES, Lane};
use crate::stats::Stats;
use crate::stats::add::sum_up;
use crate::stats::counters::{LaneCounters, SharedCounters};
use crate::stats::peak::Peak;
use crate::sync::{AtomicU64, Ordering::Relaxed};
use crate::thread::state::ThreadState;

/// The counters of all threads.
#[derive(Clone, Copy)]
pub(crate) struct Figures<'a> {
    /// The places that ever had an owner.
    pub(crate) states: &'a [ThreadState],
    /// The counters of all threads without a place.
    pub(crate) shared: &'a SharedCounters,
}

impl Figures<'_> {
    /// Adds up a counter of both lanes of a class.
    pub(crate) fn sum(&self, class: usize, counter: impl Fn(&LaneCounters) -> &AtomicU64) -> u64 {
        let mut sum = 0;
        for lane in [Lane::new(class, false), Lane::new(class, true)] {
            for state in self.states {
                sum_up(&mut sum, counter(state.lane_counters(lane)));
            }
            sum_up(&mut sum, counter(&self.shared.lanes[lane.index()]));
        }
        sum
    }

    /// Returns the hits of each class.
    pub(crate) fn hits(&self) -> [u64; CLASSES] {
        core::array::from_fn(|class| self.sum(class, |counters| &counters.hits))
    }

    /// Adds everything to `stats` but the hits and the counts by size.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        for lane in Lane::ALL {
            let class = &mut stats.classes[lane.class()];
            for state in self.states {
                state.lane_counters(lane).add_to(class);
            }
            self.shared.lanes[lane.index()].add_to(class);
        }
        for state in self.states {
            state.counters().add_to(stats);
        }
        self.shared.rest.add_to(stats);
    }

    /// Adds the counts by size of refused requests to `stats`, which has all other counts already.
    pub(crate) fn add_sizes_to(&self, stats: &mut Stats) {
        for state in self.states {
            if state.counters().big_refusals.load(Relaxed) > 0 {
                state.refused().add_to(&mut stats.refused);
            }
        }
        self.shared.by_size.add_to(&mut stats.refused);
        self.shared.refused.add_to(stats);
    }
}

/// Adds the table, and what follows from it and from the counts: slots in use, and peaks.
pub(crate) fn add_table_to(
    stats: &mut Stats,
    lanes: &[LaneParts; LANES],
    peaks: &[Peak; CLASSES],
    peak_demand: impl Fn(usize) -> usize,
) {
    for (class, index) in stats.classes.iter_mut().zip(0..) {
        let slots = |is_held_back| &lanes[Lane::new(index, is_held_back).index()];
        let slab = &slots(true).slab;
        class.slot_bytes = slab.slot_bytes as u64;
        class.slots = slab.slots as u64;
        let [open, held_back] = [false, true].map(|is_held_back| slots(is_held_back).set.slots());
        class.held_back_slots = if open > 0 { held_back as u64 } else { 0 };
        class.in_use = class.hits.saturating_sub(class.returns);
        class.peak = peaks[index].raise_to(class.in_use as usize) as u64;
        class.peak_demand = peak_demand(index) as u64;
    }
}
