//! The address space of all slots: one mapping, of which only the four slabs are accessible.
//!
//! All other pages stay `PROT_NONE`: guard pages before, between and after the slabs. If a program runs off
//! the end of a slab, it faults there (P8). No page is touched: an untouched slot costs no memory. If nothing
//! is denied, there are six or seven system calls: one `mmap`, one or two `munmap` for what alignment leaves
//! over, four `mprotect`.

use core::ops::Range;
use core::ptr::NonNull;

use crate::config::plan::Plan;
use crate::fatal::invariant;
use crate::os::{self, Errno, Limit, asan};
use crate::slots::slab::Slab;

/// Reserves the slots of `plan`. If the system denies any part of it, returns `None` and keeps nothing.
pub(crate) fn reserve(plan: &Plan, source: os::Source<'_>) -> Option<os::Mapping> {
    let slabs = plan.classes.iter().map(|class| class.slab.offset..class.slab.offset + class.slab.bytes());
    os::reserve(plan.span, plan.align, slabs, source)
}

/// Returns the limit of the process that denied the reservation, if it is a known one. To be called right
/// after [`reserve`] was denied.
pub(crate) fn limit_behind(plan: &Plan) -> Option<Limit> {
    let writable = plan.classes.iter().map(|class| class.slab.bytes()).sum();
    os::limit_behind(plan.span + plan.align, writable)
}

/// A reservation that was made.
#[derive(Clone, Copy)]
pub(crate) struct Reserved<'a> {
    base: NonNull<u8>,
    plan: &'a Plan,
}

impl<'a> Reserved<'a> {
    /// Describes the reservation at `base`.
    ///
    /// # Safety
    ///
    /// `base` is the start of a reservation for `plan`, which stays mapped while the result or a copy of it
    /// exists.
    pub(crate) unsafe fn new(base: NonNull<u8>, plan: &'a Plan) -> Self {
        invariant!(base.addr().get().is_multiple_of(plan.align), "a reservation is aligned as its plan says");
        Self { base, plan }
    }

    /// The pages at these offsets of the reservation, all of them in one slab.
    pub(crate) fn pages_at(&self, offsets: Range<usize>) -> NonNull<[u8]> {
        // SAFETY: a slab and the pages of its last slot lie in the reservation.
        let start = unsafe { self.base.byte_add(offsets.start) };
        NonNull::slice_from_raw_parts(start, offsets.len())
    }

    /// The whole reservation, guard pages included.
    pub(super) fn all(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.plan.span)
    }

    /// The pages that the lowest `slots` slots of a slab lie in.
    pub(super) fn pages(&self, slab: &Slab, slots: usize) -> NonNull<[u8]> {
        // SAFETY: a slab lies in the reservation, and so do the pages of its last slot, because guards are
        // whole pages.
        let start = unsafe { self.base.byte_add(slab.offset) };
        let bytes = (slab.slot_bytes * slots).next_multiple_of(os::page_bytes());
        NonNull::slice_from_raw_parts(start, bytes)
    }

    /// Poisons every slot for AddressSanitizer, because none is handed out yet.
    pub(crate) fn poison_slots(&self) {
        self.slabs().for_each(|slab| asan::poison(self.pages(slab, 0).cast().as_ptr(), slab.bytes()));
    }

    /// Each slab, smallest class first.
    pub(super) fn slabs(&self) -> impl Iterator<Item = &'a Slab> {
        self.plan.classes.iter().map(|class| &class.slab)
    }

    /// Locks the slabs, smallest class first. Of the first slab that is denied, locks as many of the lowest
    /// slots as the system allows, because takes prefer those.
    pub(super) fn lock(&self) -> Result<(), Errno> {
        for slab in self.slabs() {
            let Err(denied) = os::lock(self.pages(slab, slab.slots)) else { continue };
            let mut locked = 0;
            for step in (0..=slab.slots.ilog2()).rev().map(|bit| 1 << bit) {
                let slots = locked + step;
                if slots < slab.slots && os::lock(self.pages(slab, slots)).is_ok() {
                    locked = slots;
                }
            }
            return Err(denied);
        }
        Ok(())
    }
}
