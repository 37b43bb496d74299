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

use super::reservation::Reserved;
use super::residency::{REQUESTS, Request, Residency};
use crate::config::MemoryConfig;
use crate::os::{self, Errno};
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
