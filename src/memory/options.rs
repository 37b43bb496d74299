//! What the system is asked to do for the memory of one reservation, and what it answered: each a request, none ever fatal.
//!
//! Start-up asks before the first slot is handed out, `prewarm` asks again (a lock is lost in the child of a `fork`, a limit may have
//! been raised) and makes everything resident. Only pages are dealt with: which slots are live is not asked, and no
//! slot becomes dirty, because none of this changes a byte.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `asked`, `refused` | start-up, `prewarm` (Relaxed) | nothing: reports read what they find |
//! | `warmed` | the same (Release), trims (Acquire) | that the pages are there |

use core::ops::Range;
use core::ptr::NonNull;

use crate::config::MemoryConfig;
use crate::config::plan::Plan;
use crate::memory::residency::{REQUESTS, Request, Residency};
use crate::os::asan;
use crate::os::{self, Errno};
use crate::slots::slab::Slab;
use crate::sync::{
    AtomicBool, AtomicI32, AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

/// The requests of one allocator, and what came of them.
pub(crate) struct Readiness {
    wishes: MemoryConfig,
    /// A bit for each [`Request`].
    asked: AtomicU8,
    /// What [`Errno::code_of`] says of each.
    refused: [AtomicI32; REQUESTS],
    /// Whether clean slots may be resident.
    warmed: AtomicBool,
}

/// A reservation that was made: the memory that all of this is about.
#[derive(Clone, Copy)]
pub(crate) struct Reserved<'a> {
    base: NonNull<u8>,
    plan: &'a Plan,
}

impl<'a> Reserved<'a> {
    /// # Safety
    ///
    /// `base` is that of a reservation for `plan`, which is not unmapped while there is the result or a copy.
    pub(crate) unsafe fn new(base: NonNull<u8>, plan: &'a Plan) -> Self {
        Self { base, plan }
    }

    /// The pages at offsets of the reservation, all of them in one slab.
    pub(crate) fn pages_at(&self, offsets: Range<usize>) -> NonNull<[u8]> {
        // SAFETY: a slab and the pages of its last slot lie in the reservation.
        let start = unsafe { self.base.byte_add(offsets.start) };
        NonNull::slice_from_raw_parts(start, offsets.len())
    }

    /// The reservation, guards included.
    fn all(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.plan.span)
    }

    /// The pages that the lowest slots of a slab lie in.
    fn pages(&self, slab: &Slab, slots: usize) -> NonNull<[u8]> {
        // SAFETY: a slab lies in the reservation, and so do the pages of its last slot: guards are whole pages.
        let start = unsafe { self.base.byte_add(slab.offset) };
        let bytes = (slab.slot_bytes * slots).next_multiple_of(os::page_bytes());
        NonNull::slice_from_raw_parts(start, bytes)
    }

    /// Nobody has a slot yet.
    pub(crate) fn close(&self) {
        self.slabs().for_each(|slab| asan::close(self.pages(slab, 0).cast().as_ptr(), slab.bytes()));
    }

    /// Each slab, smallest class first.
    fn slabs(&self) -> impl Iterator<Item = &'a Slab> {
        self.plan.classes.iter().map(|class| &class.slab)
    }

    /// The smallest classes first, and of the first that is refused, as many of its lowest slots as the system allows: takes
    /// prefer those.
    fn lock(&self) -> Result<(), Errno> {
        for slab in self.slabs() {
            let Err(refused) = os::lock(self.pages(slab, slab.slots)) else { continue };
            let mut locked = 0;
            for step in (0..=slab.slots.ilog2()).rev().map(|bit| 1 << bit) {
                let slots = locked + step;
                if slots < slab.slots && os::lock(self.pages(slab, slots)).is_ok() {
                    locked = slots;
                }
            }
            return Err(refused);
        }
        Ok(())
    }
}

impl Readiness {
    pub(crate) const fn new(wishes: MemoryConfig) -> Self {
        Self {
            wishes,
            asked: AtomicU8::new(0),
            refused: [const { AtomicI32::new(0) }; REQUESTS],
            warmed: AtomicBool::new(false),
        }
    }

    /// Asks for all that costs no memory. Seven system calls at most, some twenty more where locking is refused.
    pub(crate) fn ask(&self, reserved: Reserved<'_>) {
        let all = reserved.all();
        os::name(all, c"framepool: slots");
        let pages = if self.wishes.huge_pages { Request::HugePages } else { Request::SmallPages };
        self.note(pages, os::use_huge_pages(all, self.wishes.huge_pages));
        if !self.wishes.core_dumps {
            self.note(Request::NoCoreDumps, os::leave_out_of_core_dumps(all));
        }
        if self.wishes.lock_memory {
            self.note(Request::Lock, reserved.lock());
        }
    }

    /// Makes the slots resident if they are to be from the start.
    pub(crate) fn prefault(&self, reserved: Reserved<'_>) {
        if self.wishes.prefault {
            self.populate(reserved);
        }
    }

    /// Makes the slots resident, whoever uses them meanwhile.
    pub(crate) fn populate(&self, reserved: Reserved<'_>) {
        let outcome = reserved.slabs().try_for_each(|slab| {
            // SAFETY: the slabs of a reservation stay mapped, readable and writable.
            unsafe { os::populate(reserved.pages(slab, slab.slots)) }
        });
        self.note(Request::Resident, outcome);
        self.set_warmed();
    }

    /// Whether slots that nobody has used may have memory: they were made resident, or lie in a huge page with others. From here on
    /// they count as without.
    pub(crate) fn take_warmed(&self) -> bool {
        self.warmed.swap(false, Acquire) || self.wishes.huge_pages
    }

    pub(crate) fn set_warmed(&self) {
        self.warmed.store(true, Release);
    }

    /// Whether pages can be given back without undoing what was asked for them.
    pub(crate) fn can_discard(&self) -> bool {
        os::DISCARD_KEEPS_REQUESTS || !self.wishes.lock_memory
    }

    /// What was asked for and refused, without the figures.
    pub(crate) fn refusals(&self) -> Residency {
        Residency {
            asked: self.asked.load(Relaxed),
            refused: self.refused.each_ref().map(|code| code.load(Relaxed)),
            ..Residency::default()
        }
    }

    /// What there is, read back.
    pub(crate) fn report(&self, reserved: Reserved<'_>) -> Residency {
        let (given, outcome) = os::given(reserved.all());
        self.note(Request::Figures, outcome);
        let pages = reserved.slabs().map(|slab| reserved.pages(slab, slab.slots).len() as u64);
        Residency {
            reserved_bytes: pages.sum(),
            resident_bytes: given.resident,
            huge_bytes: given.huge,
            locked_bytes: given.locked,
            ..self.refusals()
        }
    }

    fn note(&self, request: Request, outcome: Result<(), Errno>) {
        self.asked.fetch_or(1 << request as u8, Relaxed);
        self.refused[request as usize].store(Errno::code_of(outcome), Relaxed);
    }
}
