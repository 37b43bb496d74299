//! Gives the memory of a lane's free slots back to the system: they cost nothing from then on, and read as zeros.
//!
//! Works along the lane with a few slots at a time, which are out of the set, so that nobody else has them: at most an eighth of
//! the lane and half of what is free, but always as many as one page touches. Others find the rest meanwhile, and a thread stopped in here
//! keeps back what it holds, nothing else (for ever in the child of another thread's `fork`). Lock-free, and every step ends.
//!
//! Slots need not be multiples of pages. A page is dropped only while all slots that it touches are held, and a slot becomes clean
//! only once every page that it touches was dropped, without having been given back between:
//!
//! ```text
//! slots   |    0    |    1    |    2    |    3    |   4: live   |
//! pages   |      |      |      |      |      |      |      |
//!         '-- dropped with 0 to 2 --'-- with 2, 3 --'
//! ```
//!
//! Slots 0 to 2 are held first. 0 and 1 become clean and go back; 2 is *kept* for the page that it shares with 3, and becomes clean with that
//! page. 3 shares its last page with a live slot: the page stays, and the slot stays dirty. So do pages that two lanes share.
//!
//! Slots that are clean already cost no system call, unless they may be resident all the same.

use core::ops::Range;

use crate::fatal::invariant;
use crate::metadata::{LaneParts, Metadata};
use crate::slots::class::SLOT_STEP;
use crate::slots::lane::Lane;
use crate::slots::slot_map::TagCell;
use crate::slots::slot_set::AlreadyFree;
use crate::tunables::{GUARD_BYTES, TRIM_FREE_SHARE, TRIM_LANE_SHARE};

/// Slots that are held at a time, at most: those of one page of the largest size there is. On the stack.
const MAX_HELD: usize = GUARD_BYTES / SLOT_STEP;

/// Has `discard` drop the pages, by their offsets in the reservation, that only free slots of the lane touch.
///
/// While `discard` runs, all slots that the pages touch are free and held here: nobody reads or writes what is in them. It answers `None` if
/// they may not all read as zeros now. Pages of clean slots are dropped too if the lane `is_warm`. `page_bytes` is a power of two,
/// [`GUARD_BYTES`] at most.
///
/// `true` if every slot of the lane was held and nothing was refused.
pub(super) fn trim_lane(
    metadata: &Metadata,
    lane: Lane,
    page_bytes: usize,
    is_warm: bool,
    discard: impl FnMut(Range<usize>) -> Option<()>,
) -> bool {
    let parts = &metadata.lanes[lane.index()];
    let mut walk = Walk { metadata, lane, parts, page_bytes, is_warm, discard, edge: None, refused: false };
    let slots = parts.set.slots();
    let mut held = [0; MAX_HELD];
    let (mut next, mut kept, mut all_taken) = (0, 0, 0);
    while next < slots {
        // More than are kept, because the next slot shares a page with those.
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
    all_taken == slots && !walk.refused
}

/// A lane on its way.
struct Walk<'a, D> {
    metadata: &'a Metadata,
    lane: Lane,
    parts: &'a LaneParts,
    page_bytes: usize,
    is_warm: bool,
    discard: D,
    /// How far the slots that were kept are done.
    edge: Option<Edge>,
    refused: bool,
}

/// What is known of the pages that a run of held slots touches: those from one offset to the other read as zeros.
struct Edge {
    from: usize,
    to: usize,
}

impl<D: FnMut(Range<usize>) -> Option<()>> Walk<'_, D> {
    /// How many slots to hold.
    fn max_at_a_time(&self) -> usize {
        let set = &self.parts.set;
        let share = (set.slots() / TRIM_LANE_SHARE).min(set.free() / TRIM_FREE_SHARE);
        share.clamp(self.touched_by_a_page(), MAX_HELD)
    }

    /// How many slots a page touches at most: 1 to [`MAX_HELD`], because either is a multiple of the other, or a slot has
    /// three times [`SLOT_STEP`] and more.
    fn touched_by_a_page(&self) -> usize {
        let (page, slot) = (self.page_bytes, self.parts.slab.slot_bytes);
        if slot.is_multiple_of(page) || page.is_multiple_of(slot) {
            page.div_ceil(slot)
        } else {
            (page - SLOT_STEP).div_ceil(slot) + 1
        }
    }

    /// Drops what pages it can of the slots `held`, in ascending order, and returns how many of the last to keep for the page that they
    /// share with slot `next`.
    fn drop_pages(&mut self, held: &[u32], next: usize) -> usize {
        let mut kept = 0;
        for run in held.chunk_by(|a, b| a + 1 == *b) {
            // The slots that were kept are the first, and their edge is theirs alone.
            let edge = self.edge.take();
            let edge = self.drop_pages_of_run(run, edge);
            let may_go_on = next < self.parts.set.slots() && run.ends_with(&[next as u32 - 1]);
            let is_open = |slot: &&u32| may_go_on && self.end(**slot) > edge.to;
            kept = run.iter().rev().take_while(is_open).count();
            self.edge = (kept > 0).then_some(edge);
        }
        kept
    }

    /// The same for neighbours. Marks those clean whose pages all read as zeros.
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
        // Behind the slab's last slot there is none to share the page.
        let is_last = self.parts.first + last as usize + 1 == self.parts.slab.slots;
        let end = self.end(last) + if is_last { self.page_bytes - 1 } else { 0 };
        let pages = edge.to..edge.to.max(end & !(self.page_bytes - 1));
        edge.to = pages.end;

        let is_needed = self.is_warm || run.iter().any(|&slot| !self.cell(slot).is_clean());
        if is_needed && !pages.is_empty() && (self.discard)(pages).is_none() {
            self.refused = true;
            // As if what was dropped ended here, so that no slot of the run is seen to be clean.
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

    /// Ends the process if the set has one of them: it was freed by two threads at once.
    fn give(&self, slots: &[u32]) {
        if !slots.is_empty()
            && let Err(AlreadyFree(slot)) = self.parts.set.give(slots)
        {
            let start = self.metadata.base.wrapping_add(self.start(slot as u32));
            self.metadata.pool(self.lane).double_free(start);
        }
    }

    /// Of a slot that is held.
    fn cell(&self, slot: u32) -> TagCell<'_> {
        let start = self.metadata.base.addr() + self.start(slot);
        // SAFETY: the start of a slot of the reservation at `base`.
        unsafe { self.metadata.map.cell_of_start(start) }
    }

    /// Where a slot starts in the reservation.
    fn start(&self, slot: u32) -> usize {
        self.parts.slab.offset_of(self.parts.first + slot as usize)
    }

    fn end(&self, slot: u32) -> usize {
        self.start(slot) + self.parts.slab.slot_bytes
    }
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
