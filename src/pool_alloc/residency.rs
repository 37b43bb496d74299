//! The face of memory that is ready: `prewarm`, the report of what there is, and `trim`.

use core::alloc::GlobalAlloc;

use super::PoolAlloc;
use super::fallback::FallbackSource;
use crate::memory::residency::Residency;

impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// Makes all slots resident now, so that writing to a frame never has to wait for memory, and reports what the system gave.
    ///
    /// Reserves the pools if nothing was allocated yet, and asks the system again for what the [`Config`](crate::Config) says
    /// (huge pages, locked memory, core dumps). May be called at any time, by any thread, with blocks live: no byte changes,
    /// and slots that were never handed out [still count as zeroed](crate::Stats::memsets_skipped). Worth calling again
    /// in the child of a `fork`, where pages are shared until they are written to, and after `trim`.
    ///
    /// All figures are 0 if the pools could not be reserved, or if another thread is at that right now.
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
    /// None: what the system denies is in the report. Where the process may not have so much memory (a container's limit, not
    /// an `rlimit`), the system may end it instead, as it would had the program written to its slots by itself.
    ///
    /// # Complexity
    ///
    /// 0.1 to 0.4 ms a MiB, which the system needs to clear it (2 ms in a virtual machine that has to be given it first),
    /// 0.04 ms once it is there, and the time of [`residency`](Self::residency). Allocates nothing, takes no lock of the
    /// allocator's.
    pub fn prewarm(&self) -> Residency {
        Residency::timed(|| {
            self.pools.prepare(&FallbackSource(self));
            self.pools.prewarm()
        })
    }
}

impl<A> PoolAlloc<A> {
    /// What the slots' memory is made of right now. Touches none of it, and reserves nothing.
    ///
    /// # Complexity
    ///
    /// On Linux one reading of `/proc/thread-self/smaps`: a system call for every few mappings of the process, and some 10 us for each
    /// MiB that is resident in small pages, whoever's. Allocates nothing.
    pub fn residency(&self) -> Residency {
        Residency::timed(|| self.pools.residency())
    }

    /// What the system denied so far, without the figures.
    pub(crate) fn denials(&self) -> Residency {
        self.pools.denials()
    }

    /// Gives the memory of free slots back to the system, and returns how many bytes of it were resident.
    ///
    /// For when a load has gone: from a housekeeping thread, a few times an hour rather than a few times a second, because the next use of
    /// a slot has to fault its memory in again (or [`prewarm`](Self::prewarm) does). Slots that threads have cached go back as well, those
    /// of sleeping threads too. What is given back is all zeros afterwards, so that `alloc_zeroed`
    /// [need not clear it](crate::Stats::memsets_skipped).
    ///
    /// May be called at any time, by any thread, several at once (but not by a signal handler), switched on or off; nobody ever waits for
    /// it. No live block changes. At most an eighth of the slots are out of reach at any moment, and half of the free ones; a
    /// page is the least that can be dealt with. Pages stay that are shared with a live slot, where slots are not
    /// multiples of pages, and one at the border of what is [held back](crate::Config::hold_back).
    ///
    /// 0, and nothing done, before the pools are reserved. Memory that is [locked](crate::Config::lock_memory) stays, and up to an eighth
    /// of a class's slots next to it; elsewhere than on Linux all of it then. The figure is the system's (elsewhere than on Linux
    /// it counts all pages of slots that were ever used), and 0 if a filter of system calls keeps it to itself.
    ///
    /// # Complexity
    ///
    /// Two or a few system calls for each run of free slots that were used, and some 0.1 ms a MiB, which the system needs to take it back;
    /// 15 us where there is nothing to do, with the default table. Allocates nothing.
    pub fn trim(&self) -> usize {
        self.pools.trim()
    }
}
