//! The short ways: a slot out of this thread's magazine, one back into it, and a refusal found at once.
//!
//! Each is a few plain loads and stores, and none calls anything. "No" says nothing: the caller goes the long way.
//!
//! Builds with debug assertions do not force them inline: there each would add its own variables to the stack frame of `alloc`, which may run on
//! a small stack.

use core::alloc::Layout;
use core::ptr;

use super::{Block, Found, Pools, route::unlikely};
use crate::metadata::Metadata;
use crate::os::asan;
use crate::slots::lane::Lane;
use crate::slots::slot_map::Entry;
use crate::stats::counters::{self, Refusal};
use crate::thread::current::{Inside, Own};

impl Pools {
    /// This thread's place, entered, and the metadata that it lies in, for an allocation; `None` if the pools do not serve, if the
    /// thread has no place, or if this interrupted it inside.
    #[inline(always)]
    pub(crate) fn enter(&self) -> Option<(Inside, &Metadata)> {
        let metadata = self.serving.pointer();
        let inside = Own::enter_at(metadata.addr())?;
        // SAFETY: a thread has a place at metadata that start-up published, for ever.
        Some((inside, unsafe { &*metadata }))
    }

    /// A live slot out of this thread's magazine: a hit in a few plain loads and stores. `None` says nothing.
    ///
    /// The lane is that of a usual layout, so there are slots.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn take_cached(
        inside: &Inside,
        metadata: &Metadata,
        lane: Lane,
        size: usize,
    ) -> Option<*mut u8> {
        let start = Self::pop(inside, metadata, lane, size)?;
        // SAFETY: the start of a slot of this lane, which is this thread's alone since the magazine let go of it.
        unsafe { metadata.map.entry_of_start(start.addr()) }.hand_out(lane);
        asan::open(start, size, metadata.slot_bytes(lane));
        Some(start)
    }

    /// The same for `alloc_zeroed`, counted as such too.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn take_cached_zeroed(
        inside: &Inside,
        metadata: &Metadata,
        lane: Lane,
        size: usize,
    ) -> Option<Block> {
        let start = Self::pop(inside, metadata, lane, size)?;
        let block = Self::hand_out(metadata, lane, start, size);
        counters::owned(inside.rest().memsets(block.is_clean), 1);
        Some(block)
    }

    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn pop(inside: &Inside, metadata: &Metadata, lane: Lane, size: usize) -> Option<*mut u8> {
        if !metadata.modes[lane.index()].is_cached() {
            unlikely();
            return None;
        }
        let start = inside.magazine(lane).pop()?;
        inside.counters(lane).count_hit(size);
        Some(start)
    }

    /// Why a lane with an empty magazine surely has nothing for a layout, found with a load or a few; `None` says nothing.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn refusal(&self, lane: Lane) -> Option<Refusal> {
        let metadata = self.metadata();
        if !metadata.lanes[lane.index()].set.is_exhausted() {
            return None;
        }
        if !lane.is_held() {
            return Some(Refusal::HeldBack);
        }
        let is_spent = |lane: Lane| {
            !metadata.modes[lane.index()].may_hide_slots() && metadata.lanes[lane.index()].set.is_exhausted()
        };
        (is_spent(lane) && is_spent(lane.open())).then_some(Refusal::Miss)
    }

    /// The live slot that starts at an address of the reservation, and its byte, if a glance tells; `None` says nothing.
    ///
    /// The layout tells what the byte must be. One comparison then says that a slot starts there, that it is live, and that the
    /// layout can have come from it, without waiting for the byte to find the magazine.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn find_quickly<'a>(
        &self,
        metadata: &'a Metadata,
        ptr: *mut u8,
        layout: Layout,
    ) -> Option<(Found, Entry<'a>)> {
        let lane = self.lane_of(layout)?;
        if !metadata.map.is_granule(ptr.addr()) {
            unlikely();
            return None;
        }
        // SAFETY: an address of the reservation, where a granule starts.
        let entry = unsafe { metadata.map.entry_of_start(ptr.addr()) };
        entry.read().is(self.freed_quickly, lane).then_some((Found { start: ptr, lane }, entry))
    }

    /// Puts a slot that was [found quickly](Self::find_quickly) into this thread's magazine: a free in a few plain loads and stores.
    /// Otherwise `false`, and nothing was done.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn give_cached(metadata: &Metadata, Found { start, lane }: Found, entry: Entry<'_>) -> bool {
        let Some(inside) = Own::enter_at(ptr::from_ref(metadata).addr()) else { return false };
        let own = metadata.own_pointer(start);
        if !metadata.modes[lane.index()].is_cached() || !inside.magazine(lane).push(own) {
            return false;
        }
        // Nobody can take the slot before this thread is outside again.
        entry.retire(lane);
        asan::close(start, metadata.slot_bytes(lane));
        counters::owned(&inside.counters(lane).returns, 1);
        true
    }
}
