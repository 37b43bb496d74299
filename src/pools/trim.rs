//! How the memory of free slots goes back to the system: which lanes, under which lock. Never on the
//! allocation path.

mod walk;

use super::Pools;
use crate::magazine::lane_pool::LaneStore;
use crate::memory::options::AppliedOptions;
use crate::memory::reservation::Reserved;
use crate::os;
use crate::slots::lane::{LANES, Lane};
use walk::trim_lane;

impl Pools {
    /// Gives the memory of all free slots back to the system, and returns how many bytes of it were resident.
    pub(crate) fn trim(&self) -> usize {
        match self.reserved() {
            Some(reserved) if AppliedOptions::can_discard(self.memory_config()) => {
                os::keeping_errno(|| self.trim_all(reserved))
            }
            _ => 0,
        }
    }

    fn trim_all(&self, reserved: Reserved<'_>) -> usize {
        let metadata = self.metadata();
        // Read before any slot is held: what becomes resident later is left to the next trim. With
        // `zero_on_free`, a freed slot is clean although it is resident.
        let is_warm = self.options.take_warmed(self.memory_config()) || self.zero_on_free;
        let is_settled = metadata.settle_after_fork();
        let mut closed = [false; LANES];
        let mut bytes = 0;
        let mut is_complete = true;
        // Tried in each trim that has something to discard: a filter of system calls may be new since the
        // last one.
        let mut may_discard = None;
        for lane in Lane::ALL {
            // Lane by lane. A thread that is stopped with the reclaim lock then keeps back the cached slots
            // of one lane only.
            if is_settled {
                [closed[lane.index()]] = metadata.with_reclaim(|reclaim| reclaim.revoke(metadata, [lane]));
            }
            is_complete &= trim_lane(metadata, lane, os::page_bytes(), is_warm, |offsets| {
                if !*may_discard.get_or_insert_with(os::may_discard) {
                    return None;
                }
                let pages = reserved.pages_at(offsets);
                let resident = os::resident(pages) as usize;
                // SAFETY: pages of a slab, all of whose slots are free and held by `trim_lane`.
                unsafe { os::discard(pages) }.ok()?;
                bytes += resident;
                os::DISCARD_LEAVES_ZEROS.then_some(())
            });
            metadata.peaks[lane.class()].look_anew();
            metadata.with_reclaim(|reclaim| reclaim.resume_caching(metadata, &mut closed));
        }
        if is_warm && !is_complete {
            self.options.set_warmed();
        }
        bytes
    }
}

#[cfg(all(test, target_os = "linux", not(framepool_os = "none")))]
mod tests;
