//! The requests to the system about the memory of one reservation, and the system's answers. No denial is
//! fatal.
//!
//! Start-up makes the requests before the first slot is handed out. `prewarm` makes them again, because a
//! lock is lost in the child of a `fork`, and a limit may have been raised. It also makes every slot
//! resident. The requests concern pages only: which slots are live does not matter. No slot becomes dirty,
//! because no request changes a byte.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `requested`, `denied` | start-up, `prewarm`, reports (Relaxed) | nothing: reports read what they find |
//! | `warmed` | start-up, `prewarm`, incomplete trims (Release); trims (Acquire) clear it | that the pages are there |

use super::reservation::Reserved;
use super::residency::{MEMORY_OPTIONS, MemoryOption, Residency};
use crate::config::MemoryConfig;
use crate::os::{self, Errno};
use crate::sync::{
    AtomicBool, AtomicI32, AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

/// The requests of one allocator, and their outcomes.
pub(crate) struct AppliedOptions {
    /// A bit for each [`MemoryOption`].
    requested: AtomicU8,
    /// The [`Errno::code_of`] of each option's last outcome.
    denied: [AtomicI32; MEMORY_OPTIONS],
    /// Whether clean slots may be resident.
    warmed: AtomicBool,
}

impl AppliedOptions {
    pub(crate) const fn new() -> Self {
        Self {
            requested: AtomicU8::new(0),
            denied: [const { AtomicI32::new(0) }; MEMORY_OPTIONS],
            warmed: AtomicBool::new(false),
        }
    }

    /// Makes all requests that cost no memory. (A lock costs memory where the system cannot lock pages on
    /// first use.) At most 7 system calls, and up to 18 more where locking is denied.
    pub(crate) fn ask(&self, reserved: Reserved<'_>, config: MemoryConfig) {
        let all = reserved.all();
        os::name(all, c"framepool: slots");
        let pages = if config.huge_pages { MemoryOption::HugePages } else { MemoryOption::SmallPages };
        self.note(pages, os::use_huge_pages(all, config.huge_pages));
        if !config.core_dumps {
            self.note(MemoryOption::NoCoreDumps, os::leave_out_of_core_dumps(all));
        }
        if config.lock_memory {
            self.note(MemoryOption::Lock, reserved.lock());
        }
    }

    /// Makes the slots resident. Other threads may use them meanwhile.
    pub(crate) fn populate(&self, reserved: Reserved<'_>) {
        let outcome = reserved.slabs().try_for_each(|slab| {
            // SAFETY: the slabs of a reservation stay mapped, readable and writable.
            unsafe { os::populate(reserved.pages(slab, slab.slots)) }
        });
        self.note(MemoryOption::Resident, outcome);
        self.set_warmed();
    }

    /// Returns whether slots that were never used may have memory: they were made resident, or lie in a huge
    /// page with others. Clears the flag, so that they count as without memory from now on. With huge pages
    /// the answer is always `true`.
    pub(crate) fn take_warmed(&self, config: MemoryConfig) -> bool {
        self.warmed.swap(false, Acquire) || config.huge_pages
    }

    pub(crate) fn set_warmed(&self) {
        self.warmed.store(true, Release);
    }

    /// Whether pages can be given back without undoing what was requested for them.
    pub(crate) fn can_discard(config: MemoryConfig) -> bool {
        os::DISCARD_KEEPS_REQUESTS || !config.lock_memory
    }

    /// Returns what was requested and what was denied, without the figures.
    pub(crate) fn denials(&self) -> Residency {
        Residency {
            requested: self.requested.load(Relaxed),
            denied: self.denied.each_ref().map(|code| code.load(Relaxed)),
            ..Residency::default()
        }
    }

    /// Reads the figures back from the system, and returns them with what was requested and denied.
    pub(crate) fn report(&self, reserved: Reserved<'_>) -> Residency {
        let (figures, outcome) = os::page_figures(reserved.all());
        self.note(MemoryOption::Figures, outcome);
        let pages = reserved.slabs().map(|slab| reserved.pages(slab, slab.slots).len() as u64);
        Residency {
            reserved_bytes: pages.sum(),
            resident_bytes: figures.resident,
            huge_bytes: figures.huge,
            locked_bytes: figures.locked,
            huge_page_bytes: os::huge_page_bytes(),
            ..self.denials()
        }
    }

    fn note(&self, option: MemoryOption, outcome: Result<(), Errno>) {
        self.requested.fetch_or(1 << option as u8, Relaxed);
        self.denied[option as usize].store(Errno::code_of(outcome), Relaxed);
    }
}
