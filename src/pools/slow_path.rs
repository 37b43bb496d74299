//! The slow paths: takes and gives that a fast path left undecided. They count what a slot serves. The caller
//! counts what the fallback serves instead.

use core::alloc::Layout;

use super::{Block, LiveSlot, Pools, Shrink};
use crate::lifecycle::serving::State;
use crate::metadata::Tally;
use crate::os::asan;
use crate::slots::lane::Lane;
use crate::stats::counters::FallbackReason;

impl Pools {
    /// Takes a slot for `layout`, and counts a hit. Returns the reason, uncounted, if the fallback has to serve
    /// it.
    pub(crate) fn take(&self, tally: Tally<'_>, layout: Layout) -> Result<Block, FallbackReason> {
        if self.is_serving()
            && let Ok(lane) = self.route(layout)
        {
            return self.take_from(tally, lane, layout.size());
        }
        self.take_slow(tally, layout)
    }

    /// Takes a slot as [`take`](Self::take) does, for a layout without a route, or while the pools do not
    /// serve.
    #[inline(never)]
    fn take_slow(&self, tally: Tally<'_>, layout: Layout) -> Result<Block, FallbackReason> {
        let lane = self.check_serving().and_then(|()| self.lane_for(layout))?;
        self.take_from(tally, lane, layout.size())
    }

    /// Checks that the pools serve, or returns why not.
    fn check_serving(&self) -> Result<(), FallbackReason> {
        if self.is_serving() {
            return Ok(());
        }
        match self.serving.state() {
            State::Untouched | State::Starting => return Err(FallbackReason::Starting),
            // The thread that changed `state` or `enabled` has not published the change yet. If a `fork` left
            // that thread behind in the parent, it never will.
            State::Ready if self.serving.is_enabled() => {
                self.serving.republish(self.metadata_cell.pointer());
            }
            _ => {}
        }
        if self.is_serving() { Ok(()) } else { Err(FallbackReason::Disabled) }
    }

    /// Takes a slot of `lane`'s class for `size` bytes, and counts a hit. The pools are ready.
    fn take_from(&self, tally: Tally<'_>, lane: Lane, size: usize) -> Result<Block, FallbackReason> {
        self.take_slot(tally, lane, size).ok_or_else(|| self.note_exhausted(lane))
    }

    /// Updates the peak of a class of which a request found no slot, and returns the reason for the refusal.
    pub(crate) fn note_exhausted(&self, lane: Lane) -> FallbackReason {
        if lane.is_held_back() {
            self.metadata().look_at_peak_of_miss(lane.class());
        }
        FallbackReason::of_exhausted(lane)
    }

    /// Returns the lane that serves a layout as soon as it has a slot; `None` if that can never happen.
    pub(crate) fn lane_to_wait_for(&self, layout: Layout) -> Option<Lane> {
        if !self.is_serving() {
            return None;
        }
        let lane = self.lane_for(layout).ok()?;
        (lane.is_held_back() || !self.plan().lane(lane).is_empty()).then_some(lane)
    }

    /// Orders this thread with each give of a slot that a layout of this lane may have.
    ///
    /// Either this thread finds the slot from here on, or the giving thread sees what this thread did before:
    /// see [`SlotSet::order_with_gives`](crate::slots::slot_set::SlotSet::order_with_gives).
    pub(crate) fn order_with_gives(&self, lane: Lane) {
        for lane in [lane, lane.open()] {
            self.metadata().pool(lane).set().order_with_gives();
        }
    }

    /// Whether a block that shrinks to `size` bytes should leave its slot: at least three quarters of the
    /// slot would be empty.
    #[inline]
    pub(crate) fn is_too_small_for(&self, size: usize, found: LiveSlot) -> bool {
        size <= self.slot_bytes(found) / 4
    }

    /// Decides where a block goes that shrinks to a layout which is [too small](Self::is_too_small_for) for
    /// its slot.
    ///
    /// It goes where a new request would go, but this starts no reclaim. Only a hit is counted.
    pub(crate) fn shrink(&self, tally: Tally<'_>, layout: Layout, found: LiveSlot) -> Shrink {
        if !self.is_serving() {
            return Shrink::ToFallback;
        }
        let lane = match self.lane_for(layout) {
            Ok(lane) if lane.class() <= found.lane.class() => lane,
            Err(FallbackReason::BelowFloor(class)) if class <= found.lane.class() => {
                return Shrink::ToFallback;
            }
            // Its alignment is stricter than the slot's. Only `Allocator` can ask for that.
            _ => return Shrink::Stays,
        };
        // A new request would get a slot of the same class. The block stays, unless its slot is a held-back
        // one that its size may not have.
        if lane.class() == found.lane.class() && (lane.is_held_back() || !found.lane.is_held_back()) {
            return Shrink::Stays;
        }
        let taken = self.metadata().pool(lane).take_without_reclaim(tally.own());
        taken.map_or(Shrink::ToFallback, |taken| Shrink::Moves(self.count_taken(tally, taken, layout.size())))
    }

    /// Takes a slot of `lane`'s class for `size` bytes, and counts only a hit. The pools are ready.
    pub(crate) fn take_slot(&self, tally: Tally<'_>, lane: Lane, size: usize) -> Option<Block> {
        let taken = self.metadata().pool(lane).take(tally.own())?;
        Some(self.count_taken(tally, taken, size))
    }

    /// Hands out a slot that was taken for `size` bytes, and counts a hit.
    fn count_taken(&self, tally: Tally<'_>, (start, lane): (*mut u8, Lane), size: usize) -> Block {
        let metadata = self.metadata();
        tally.hit(lane, size);
        metadata.look_at_peak(lane.class());
        Self::hand_out(metadata, lane, start, size)
    }

    /// Frees a slot.
    ///
    /// Aborts if another thread has freed it at the same time. With `hardened` this is always detected.
    /// Otherwise it is detected only if both frees reach the set before the slot is taken again.
    ///
    /// # Safety
    ///
    /// The slot was just found, and its memory is not used any more.
    pub(crate) unsafe fn give(&self, tally: Tally<'_>, found: LiveSlot) {
        let LiveSlot { start, lane } = found;
        let metadata = self.metadata();
        // SAFETY: the start of a live slot of this lane, which is this thread's until the pool has it.
        let cell = unsafe { metadata.map.cell_of_start(start.addr()) };
        if !self.hardened {
            cell.retire(lane);
        } else if !cell.retire_once(lane) {
            metadata.pool(lane).double_free(start);
        }
        if self.zero_on_free {
            asan::unpoison_prefix(start, self.slot_bytes(found), self.slot_bytes(found));
            // SAFETY: a whole slot.
            unsafe { start.write_bytes(0, self.slot_bytes(found)) };
            cell.set_clean(lane);
        }
        asan::poison(start, metadata.slot_bytes(lane));
        // Before the slot can be taken again: see `counters`.
        tally.give(lane);
        metadata.pool(lane).give(tally.own(), metadata.own_pointer(start));
    }

    /// Makes all bytes of the live slot that starts at `start` usable, and returns how many these are.
    ///
    /// `None` if no live slot of these pools starts there.
    pub(crate) fn unpoison_whole(&self, start: *mut u8) -> Option<usize> {
        let bytes = self.usable_size(start)?;
        asan::unpoison_prefix(start, bytes, bytes);
        Some(bytes)
    }
}
