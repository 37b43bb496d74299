//! Lanes of which no thread caches slots, as in advised tables: a take is one atomic operation on the set, or two if the
//! lane has more than 64 slots.

use super::{Block, Pools};
use crate::magazine::lane_pool::LaneStore;
use crate::slots::lane::Lane;

impl Pools {
    /// Takes a slot for `size` bytes out of the set of a lane that is never cached, and counts a hit.
    ///
    /// `None` means undecided: threads cache slots of the lane, the set is empty, or this thread has no place.
    ///
    /// The thread is inside its place meanwhile. If it is stopped there, a reclaim leaves its magazines of other lanes
    /// pending.
    pub(crate) fn take_uncached(&self, lane: Lane, size: usize) -> Option<Block> {
        let (guard, metadata) = self.enter()?;
        if !metadata.modes[lane.index()].is_off() {
            return None;
        }
        let start = metadata.pool(lane).take_one(metadata.search_start(guard.own()))?;
        guard.counters(lane).count_hit(size);
        drop(guard);
        metadata.look_at_peak(lane.class());
        Some(Self::hand_out(metadata, lane, start, size))
    }
}
