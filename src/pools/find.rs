//! From an address to its slot: which allocator a block belongs to, which slot it has, and the error if it
//! has none.

use core::alloc::Layout;

use super::Pools;
use crate::fatal::{self, Misuse};
use crate::slots::class::Class;
use crate::slots::lane::Lane;
use crate::slots::slot_map::SlotTag;

/// A live slot of these pools.
#[derive(Clone, Copy)]
pub(crate) struct LiveSlot {
    pub(super) start: *mut u8,
    pub(super) lane: Lane,
}

impl Pools {
    /// Whether an address lies in the reservation, guard pages included. This alone decides where a block
    /// goes back to.
    ///
    /// During a [recording](super::recording), `true` means only that the address may lie there.
    #[inline(always)]
    pub(crate) fn spans(&self, ptr: *const u8) -> bool {
        // Read first, because it publishes the base.
        let span = self.serving.span();
        self.offset_of(ptr) < span
    }

    /// Whether an address lies in the reservation, guard pages included, even during a recording.
    #[inline]
    pub(crate) fn is_ours(&self, ptr: *const u8) -> bool {
        self.spans(ptr) && self.offset_of(ptr) < self.plan().span
    }

    #[inline(always)]
    fn offset_of(&self, ptr: *const u8) -> usize {
        ptr.addr().wrapping_sub(self.serving.base().addr())
    }

    /// Finds the live slot that starts at an address of the reservation.
    ///
    /// Aborts if no live slot starts there, or if `layout` cannot have come from it (P7).
    pub(crate) fn find(&self, ptr: *mut u8, layout: Layout) -> LiveSlot {
        if let Some(found) = self.look_up(ptr)
            && self.plan().classes[found.lane.class()].fits(layout)
        {
            return found;
        }
        self.misuse(ptr, layout)
    }

    /// Returns the slot that [`find`](Self::find) found at the same address before.
    pub(crate) fn live_slot_at(&self, ptr: *mut u8) -> LiveSlot {
        LiveSlot { start: ptr, lane: self.tag_at(ptr.addr()).lane() }
    }

    fn look_up(&self, ptr: *mut u8) -> Option<LiveSlot> {
        let tag = self.tag_at(ptr.addr());
        tag.is_live().then(|| LiveSlot { start: ptr, lane: tag.lane() })
    }

    /// Reads the slot map's byte for an address of the reservation.
    pub(super) fn tag_at(&self, address: usize) -> SlotTag {
        // SAFETY: an address of the reservation.
        unsafe { self.metadata().map.cell(address) }.read()
    }

    #[inline]
    pub(crate) fn class(&self, found: LiveSlot) -> Class {
        Class::ALL[found.lane.class()]
    }

    /// Whether a slot could serve this layout too.
    #[cfg(feature = "allocator-api2")]
    pub(crate) fn fits(&self, found: LiveSlot, layout: Layout) -> bool {
        self.plan().classes[found.lane.class()].fits(layout)
    }

    #[inline]
    pub(crate) fn slot_bytes(&self, found: LiveSlot) -> usize {
        self.plan().classes[found.lane.class()].slab.slot_bytes
    }

    /// Whether `ptr` lies in a slot, live or not.
    pub(crate) fn owns(&self, ptr: *const u8) -> bool {
        self.is_ours(ptr) && self.plan().locate(self.offset_of(ptr)).is_some()
    }

    /// Returns the bytes of the live slot that starts at `ptr`.
    pub(crate) fn usable_size(&self, ptr: *const u8) -> Option<usize> {
        let found = if self.is_ours(ptr) { self.look_up(ptr.cast_mut()) } else { None };
        found.map(|found| self.slot_bytes(found))
    }

    /// Finds out what is wrong with a pointer or its layout, reports it, and ends the process.
    #[cold]
    #[inline(never)]
    fn misuse(&self, ptr: *mut u8, layout: Layout) -> ! {
        let Some((class, index, bytes_in)) = self.plan().locate(self.offset_of(ptr)) else {
            fatal::not_a_slot(ptr.addr())
        };
        let tag = self.tag_at(ptr.addr());
        let what = match bytes_in {
            1.. => Misuse::Interior(bytes_in),
            0 if tag.is_unknown() => Misuse::NeverHandedOut,
            0 if !tag.is_live() => Misuse::DoubleFree,
            0 => Misuse::WrongLayout(layout.size(), layout.align()),
        };
        fatal::misuse(what, class.name(), index, ptr.addr())
    }
}
