//! Resident memory on request: `prewarm`, the report of what is resident, and `trim`.

use core::alloc::GlobalAlloc;

use super::PoolAlloc;
use super::fallback::FallbackSource;
use crate::memory::residency::Residency;

impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// Makes all slots resident now, and reports what the system gave.
    ///
    /// A write to a slot then never waits for memory. If nothing was allocated yet, this reserves the pools. It asks the system again for what the
    /// [`Config`](crate::Config) says (huge pages, locked memory, core dumps). Any thread may call it at any
    /// time, with blocks live. No byte changes, and slots that were never handed out [still count as
    /// zeroed](crate::Stats::memsets_skipped). Call it again after `trim`, and in the child of a `fork`,
    /// where pages are shared until they are written to.
    ///
    /// All figures are 0 if the pools could not be reserved, or if another thread is reserving them right
    /// now.
    ///
    /// ```
    /// use framepool::{PoolAlloc, MemoryOption};
    ///
    /// #[global_allocator]
    /// static ALLOC: PoolAlloc = PoolAlloc::new();
    ///
    /// let residency = ALLOC.prewarm();
    /// if let Some(error) = residency.denied(MemoryOption::Resident) {
    ///     eprintln!("frames will fault: {error}");
    /// }
    /// println!("{residency}");
    /// ```
    ///
    /// # Errors
    ///
    /// None: the report says what the system denied. The limit of a container, unlike an `rlimit`, denies
    /// nothing: the system kills a process that exceeds it, here as on a write to a slot.
    ///
    /// # Complexity
    ///
    /// The system takes 0.1 to 0.4 ms to clear a MiB. In a virtual machine whose host has to provide the
    /// memory first, it takes 2 ms. A MiB that is resident already takes 0.04 ms. The time of
    /// [`residency`](Self::residency) is added. Allocates nothing, and takes no lock of the allocator.
    pub fn prewarm(&self) -> Residency {
        Residency::timed(|| {
            self.pools.prepare(&FallbackSource(self));
            self.pools.prewarm()
        })
    }
}

impl<A> PoolAlloc<A> {
    /// Reports what memory the slots have right now. Touches no slot, and reserves nothing.
    ///
    /// # Complexity
    ///
    /// On Linux it reads `/proc/thread-self/smaps`, with a system call for every few mappings of the process.
    /// The kernel takes about 10 us for each MiB that the process has resident in small pages, in slots or
    /// elsewhere. Allocates nothing.
    pub fn residency(&self) -> Residency {
        Residency::timed(|| self.pools.residency())
    }

    /// Reports what the system denied so far, without the figures.
    pub(crate) fn denials(&self) -> Residency {
        self.pools.denials()
    }

    /// Gives the memory of free slots back to the system, and returns how many bytes of it were resident.
    ///
    /// Call it after a load has ended, from a housekeeping thread: a few times an hour rather than a few
    /// times a second. The next use of a slot has to fault its memory in again (or [`prewarm`](Self::prewarm)
    /// does). Slots that threads have cached go back too, also those of sleeping threads. The memory given
    /// back is all zeros afterwards, so `alloc_zeroed` [need not clear it](crate::Stats::memsets_skipped).
    ///
    /// Any thread may call this at any time, several at once, with the pools on or off. A signal handler may
    /// not. No thread ever waits for it, and no live block changes. At any moment it holds at most an eighth
    /// of a class's slots, at most half of the free ones, and at least as many as one page touches. If slots
    /// are not multiples of pages, a page that is shared with a live slot stays resident. So does one page at
    /// the border of the slots that are [held back](crate::Config::hold_back).
    ///
    /// Before the pools are reserved, it does nothing and returns 0. On Linux, memory that is
    /// [locked](crate::Config::lock_memory) stays, and so do up to an eighth of a class's slots next to it.
    /// On other systems, nothing goes back if memory is locked. The result is the system's figure, or 0 if a
    /// filter of system calls denies it. On other systems than Linux it counts all pages of slots that were
    /// ever used.
    ///
    /// # Complexity
    ///
    /// Two system calls for each run of free slots that were used, and one more for each further 4 MiB of the
    /// run. The system needs about 0.1 ms a MiB to take the memory back. With the default table and nothing
    /// to do, 15 us. Allocates nothing.
    pub fn trim(&self) -> usize {
        self.pools.trim()
    }
}
