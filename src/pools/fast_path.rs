//! The fast paths: a slot out of this thread's magazine, one back into it, and a miss or bypass that
//! a few loads decide.
//!
//! Each is a few plain loads and stores, and none calls a function. `None` and `false` mean undecided: the caller
//! takes the slow path.
//!
//! Builds with debug assertions do not force them inline. There, each would add its own variables to the
//! stack frame of `alloc`, which may run on a small stack.

use core::alloc::Layout;
use core::ptr;

use super::{Block, LiveSlot, Pools, route::cold_path};
use crate::metadata::Metadata;
use crate::os::asan;
use crate::slots::lane::Lane;
use crate::slots::slot_map::TagCell;
use crate::stats::add::owned;
use crate::stats::counters::FallbackReason;
use crate::thread::current::{OwnState, StateGuard};

impl Pools {
    /// Enters this thread's place for an allocation, and returns the metadata with it.
    ///
    /// `None` if the pools do not serve, if the thread has no place, or if this call interrupted it inside.
    #[inline(always)]
    pub(crate) fn enter(&self) -> Option<(StateGuard, &Metadata)> {
        let metadata = self.serving.pointer();
        let guard = OwnState::enter_at(metadata.addr())?;
        // SAFETY: a thread has a place only in metadata that start-up published, and that is never unmapped.
        Some((guard, unsafe { &*metadata }))
    }

    /// Takes a live slot out of this thread's magazine: a hit in a few plain loads and stores.
    ///
    /// `None` means undecided. The lane is that of a usual layout, so it has slots.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn take_cached(
        guard: &StateGuard,
        metadata: &Metadata,
        lane: Lane,
        size: usize,
    ) -> Option<*mut u8> {
        let start = Self::pop(guard, metadata, lane, size)?;
        // SAFETY: the start of a slot of this lane, which is this thread's alone since the magazine let go of
        // it.
        unsafe { metadata.map.cell_of_start(start.addr()) }.hand_out(lane);
        asan::unpoison_prefix(start, size, metadata.slot_bytes(lane));
        Some(start)
    }

    /// Takes a slot as [`take_cached`](Self::take_cached) does, for `alloc_zeroed`, and counts whether it is
    /// clean.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn take_cached_zeroed(
        guard: &StateGuard,
        metadata: &Metadata,
        lane: Lane,
        size: usize,
    ) -> Option<Block> {
        let start = Self::pop(guard, metadata, lane, size)?;
        let block = Self::hand_out(metadata, lane, start, size);
        owned(guard.rest().memsets(block.is_clean), 1);
        Some(block)
    }

    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn pop(guard: &StateGuard, metadata: &Metadata, lane: Lane, size: usize) -> Option<*mut u8> {
        if !metadata.modes[lane.index()].is_cached() {
            cold_path();
            return None;
        }
        let start = guard.magazine(lane).pop()?;
        guard.counters(lane).count_hit(size);
        Some(start)
    }

    /// Returns the reason why a lane with an empty magazine certainly has no slot for a layout, found with a
    /// few loads.
    ///
    /// `None` means undecided.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn exhausted(&self, lane: Lane) -> Option<FallbackReason> {
        let metadata = self.metadata();
        let has_none = |lane: Lane| metadata.lanes[lane.index()].set.is_exhausted();
        if !has_none(lane) {
            return None;
        }
        let is_spent = |lane: Lane| !metadata.modes[lane.index()].may_hide_slots() && has_none(lane);
        let is_exhausted = !lane.is_held_back() || is_spent(lane) && is_spent(lane.open());
        is_exhausted.then(|| FallbackReason::of_exhausted(lane))
    }

    /// Returns the live slot that starts at an address of the reservation, and its byte, if one comparison
    /// decides.
    ///
    /// `None` means undecided. The layout tells what the byte must be. The comparison then says that a slot
    /// starts there, that it is live, and that the layout can have come from it. So the magazine is found
    /// without waiting for the byte.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn find_fast<'a>(
        &self,
        metadata: &'a Metadata,
        ptr: *mut u8,
        layout: Layout,
    ) -> Option<(LiveSlot, TagCell<'a>)> {
        let lane = self.lane_of(layout)?;
        if !metadata.map.is_granule(ptr.addr()) {
            cold_path();
            return None;
        }
        // SAFETY: an address of the reservation, where a granule starts. During a recording any address comes here,
        // but there is no lane for any layout.
        let cell = unsafe { metadata.map.cell_of_start(ptr.addr()) };
        cell.read().matches(self.freed_fast, lane).then_some((LiveSlot { start: ptr, lane }, cell))
    }

    /// Puts a slot that was [found on the fast path](Self::find_fast) into this thread's magazine: a free in a few
    /// plain loads and stores.
    ///
    /// `false` means undecided, and nothing was done.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn give_cached(
        metadata: &Metadata,
        LiveSlot { start, lane }: LiveSlot,
        cell: TagCell<'_>,
    ) -> bool {
        let Some(guard) = OwnState::enter_at(ptr::from_ref(metadata).addr()) else { return false };
        let own = metadata.own_pointer(start);
        if !metadata.modes[lane.index()].is_cached() || !guard.magazine(lane).push(own) {
            return false;
        }
        // No thread can take the slot before this thread is outside again.
        cell.retire(lane);
        asan::poison(start, metadata.slot_bytes(lane));
        owned(&guard.counters(lane).returns, 1);
        true
    }
}
