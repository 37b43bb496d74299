//! Gives the memory of a lane's free slots back to the system: from then on they cost no memory and read as
//! zeros.
//!
//! The walk goes along the lane with several slots at a time. These are out of the set, so no other thread
//! has them. They are at most an eighth of the lane and half of its free slots, but always as many as one
//! page touches. Other threads find the rest meanwhile. A thread that is stopped in here keeps back only the
//! slots that it holds. In the child of another thread's `fork`, these are lost. The walk is lock-free, and
//! every step ends.
//!
//! Slots need not be multiples of pages. A page is dropped only while all slots that it touches are held. A
//! slot becomes clean only if every page that it touches was dropped while the slot was held without
//! interruption:
//!
//! ```text
//! slots   |    0    |    1    |    2    |    3    |   4: live   |
//! pages   |      |      |      |      |      |      |      |
//!         '-- dropped with 0 to 2 --'-- with 2, 3 --'
//! ```
//!
//! Slots 0 to 2 are held first. Slots 0 and 1 become clean and go back. Slot 2 is *kept* for the page that it
//! shares with slot 3, and becomes clean with that page. Slot 3 shares its last page with a live slot: the
//! page stays, and the slot stays dirty. Pages that two lanes share stay too.
//!
//! Slots that are already clean cost no system call, unless they may still be resident.

use core::ops::Range;

use crate::fatal::invariant;
use crate::metadata::{LaneParts, Metadata};
use crate::slots::class::SLOT_STEP;
use crate::slots::lane::Lane;
use crate::slots::slot_map::TagCell;
use crate::slots::slot_set::AlreadyFree;
use crate::tunables::{GUARD_BYTES, TRIM_FREE_SHARE, TRIM_LANE_SHARE};

/// The maximum number of slots held at a time: as many of the smallest slots as a page of the largest size
/// touches. They lie on the stack.
const MAX_HELD: usize = GUARD_BYTES / SLOT_STEP;

/// Calls `discard` to drop each page that only free slots of the lane touch, by its offset in the
/// reservation.
///
/// While `discard` runs, all slots that the pages touch are free and held here: no thread reads or writes
/// them. It returns `None` if the pages may not all read as zeros now. If the lane `is_warm`, pages of clean
/// slots are dropped too. `page_bytes` is a power of two, at most [`GUARD_BYTES`].
///
/// Returns `true` if every slot of the lane was held and no page was denied.
pub(super) fn trim_lane(
    metadata: &Metadata,
    lane: Lane,
    page_bytes: usize,
    is_warm: bool,
    discard: impl FnMut(Range<usize>) -> Option<()>,
) -> bool {
    let parts = &metadata.lanes[lane.index()];
    let mut walk = Walk { metadata, lane, parts, page_bytes, is_warm, discard, edge: None, denied: false };
    let slots = parts.set.slots();
    let mut held = [0; MAX_HELD];
    let (mut next, mut kept, mut all_taken) = (0, 0, 0);
    while next < slots {
        // `max` is above `kept`, because the next slot shares a page with the kept ones.
        let max = walk.max_at_a_time();
        let end = (next + max - kept).min(slots);
        let taken = parts.set.take_among(next..end, &mut held[kept..max]);
        all_taken += taken;
        next = end;
        let held = &mut held[..kept + taken];
        kept = walk.drop_pages(held, next);
        let (done, rest) = held.split_at(held.len() - kept);
        walk.give(done);
        held.copy_within(held.len() - rest.len().., 0);
    }
    all_taken == slots && !walk.denied
}

/// The state of a walk along a lane.
struct Walk<'a, D> {
    metadata: &'a Metadata,
    lane: Lane,
    parts: &'a LaneParts,
    page_bytes: usize,
    is_warm: bool,
    discard: D,
    /// How far the pages of the kept slots are done.
    edge: Option<Edge>,
    denied: bool,
}

/// The pages of a run of held slots that are known to read as zeros: those from one offset to the other.
struct Edge {
    from: usize,
    to: usize,
}

impl<D: FnMut(Range<usize>) -> Option<()>> Walk<'_, D> {
    /// The number of slots to hold.
    fn max_at_a_time(&self) -> usize {
        let set = &self.parts.set;
        let share = (set.slots() / TRIM_LANE_SHARE).min(set.free() / TRIM_FREE_SHARE);
        share.clamp(self.touched_by_a_page(), MAX_HELD)
    }

    /// The maximum number of slots that a page touches, 1 to [`MAX_HELD`]. Either one of the two sizes is a
    /// multiple of the other, or a slot has at least three times [`SLOT_STEP`].
    fn touched_by_a_page(&self) -> usize {
        let (page, slot) = (self.page_bytes, self.parts.slab.slot_bytes);
        if slot.is_multiple_of(page) || page.is_multiple_of(slot) {
            page.div_ceil(slot)
        } else {
            (page - SLOT_STEP).div_ceil(slot) + 1
        }
    }

    /// Drops the pages of the slots `held`, which are in ascending order, where it can.
    ///
    /// Returns how many of the last slots to keep, for the page that they share with slot `next`.
    fn drop_pages(&mut self, held: &[u32], next: usize) -> usize {
        let mut kept = 0;
        for run in held.chunk_by(|a, b| a + 1 == *b) {
            // The kept slots come first, so only the first run takes their edge.
            let edge = self.edge.take();
            let edge = self.drop_pages_of_run(run, edge);
            let may_go_on = next < self.parts.set.slots() && run.ends_with(&[next as u32 - 1]);
            let is_open = |slot: &&u32| may_go_on && self.end(**slot) > edge.to;
            kept = run.iter().rev().take_while(is_open).count();
            self.edge = (kept > 0).then_some(edge);
        }
        kept
    }

    /// Drops the pages of a run of neighbours, and marks each slot clean whose pages all read as zeros.
    fn drop_pages_of_run(&mut self, run: &[u32], edge: Option<Edge>) -> Edge {
        let (first, last) = (run[0], run[run.len() - 1]);
        invariant!(
            (last - first) as usize == run.len() - 1,
            "the slots of a run are neighbours, in ascending order"
        );
        let mut edge = edge.unwrap_or_else(|| {
            let first_whole = self.start(first).next_multiple_of(self.page_bytes);
            Edge { from: first_whole, to: first_whole }
        });
        // No slot comes after the slab's last one, so none shares its last page.
        let is_last = self.parts.first + last as usize + 1 == self.parts.slab.slots;
        let end = self.end(last) + if is_last { self.page_bytes - 1 } else { 0 };
        let pages = edge.to..edge.to.max(end & !(self.page_bytes - 1));
        edge.to = pages.end;

        let is_needed = self.is_warm || run.iter().any(|&slot| !self.cell(slot).is_clean());
        if is_needed && !pages.is_empty() && (self.discard)(pages).is_none() {
            self.denied = true;
            // Forgets the pages dropped so far, so that no slot of the run becomes clean.
            edge.from = edge.to;
        }
        for &slot in run.iter().filter(|&&slot| !self.cell(slot).is_clean()) {
            let first_page = self.start(slot) & !(self.page_bytes - 1);
            if edge.from <= first_page && self.end(slot).next_multiple_of(self.page_bytes) <= edge.to {
                self.cell(slot).set_clean(self.lane);
            }
        }
        edge
    }

    /// Gives slots back to the set.
    ///
    /// Ends the process if the set already has one of them: two threads freed it at once.
    fn give(&self, slots: &[u32]) {
        if !slots.is_empty()
            && let Err(AlreadyFree(slot)) = self.parts.set.give(slots)
        {
            let start = self.metadata.base.wrapping_add(self.start(slot as u32));
            self.metadata.pool(self.lane).double_free(start);
        }
    }

    /// Returns the byte of a slot that is held.
    fn cell(&self, slot: u32) -> TagCell<'_> {
        let start = self.metadata.base.addr() + self.start(slot);
        // SAFETY: the start of a slot of the reservation at `base`.
        unsafe { self.metadata.map.cell_of_start(start) }
    }

    /// Returns the offset in the reservation where a slot starts.
    fn start(&self, slot: u32) -> usize {
        self.parts.slab.offset_of(self.parts.first + slot as usize)
    }

    fn end(&self, slot: u32) -> usize {
        self.start(slot) + self.parts.slab.slot_bytes
    }
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
