//! The four switches of [`Config`] that ask the operating system for something about the slots' memory.
//!
//! All of them are requests (P13). A denied request neither stops the build nor ends the process.
//! [`Residency`](crate::Residency) reports what came of them, as numbers. None costs a hit anything.

use super::Config;

/// The values of the four switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryConfig {
    pub(crate) huge_pages: bool,
    pub(crate) prefault: bool,
    pub(crate) lock_memory: bool,
    pub(crate) core_dumps: bool,
}

impl MemoryConfig {
    pub(super) const fn new() -> Self {
        Self { huge_pages: false, prefault: false, lock_memory: false, core_dumps: true }
    }
}

impl Config {
    /// Asks for huge pages under the slots (`true`), or tells the system to use small pages only (`false`).
    /// Default: `false`.
    ///
    /// Huge pages (2 MiB on most machines) cause fewer page faults and fewer TLB misses, but cost memory. The
    /// first byte written to a huge page makes all of it resident. A program that uses a few slots of each
    /// class takes 20 to 100 MiB more. An XLarge slot of 2 MiB is one huge page. Smaller slots share them.
    ///
    /// `false` is a request too: it tells Linux to use no huge pages here, even where transparent huge pages
    /// are set to `always`. Where they are set to `never`, `true` gets none.
    #[must_use]
    pub const fn huge_pages(mut self, yes: bool) -> Self {
        self.memory.huge_pages = yes;
        self
    }

    /// Makes all slots resident when the pools are reserved, as [`prewarm`](crate::PoolAlloc::prewarm) does
    /// later. Default: `false`.
    ///
    /// The program's first allocation then takes as long as the system needs to find and clear the memory:
    /// 0.1 to 0.4 ms for each MiB, or 2 ms in a virtual machine whose host has to provide the memory first.
    /// If a container's limit allows less memory, the system kills the process, as it would on a write to a
    /// slot.
    #[must_use]
    pub const fn prefault(mut self, yes: bool) -> Self {
        self.memory.prefault = yes;
        self
    }

    /// Asks the system never to page the slots out. Default: `false`.
    ///
    /// On Linux 4.4 and later a page is locked from its first use on, so untouched slots still cost no
    /// memory. With [`prefault`](Config::prefault), or after [`prewarm`](crate::PoolAlloc::prewarm), all
    /// slots are resident and locked. On older kernels and other systems, locking makes all slots resident at
    /// once.
    ///
    /// The system counts all slots against `RLIMIT_MEMLOCK`, touched or not (`ulimit -l`, often 8 MiB; the
    /// default table has 141 MiB). If the limit is too low, as many slots are locked as fit: the smaller
    /// classes first, and then the lowest slots of the first class that does not fit. The pools hand those
    /// out first. Nothing is left of the limit then for the rest of the program. The child of a `fork` has no
    /// locks; `prewarm` in the child requests them again.
    #[must_use]
    pub const fn lock_memory(mut self, yes: bool) -> Self {
        self.memory.lock_memory = yes;
        self
    }

    /// Sets whether core dumps show the contents of the slots. Default: `true`.
    ///
    /// On Linux, `false` leaves the slots out of core dumps. This keeps the dumps of a program with many
    /// frames small, and the contents of the frames private. The metadata stays in the dumps.
    #[must_use]
    pub const fn core_dumps(mut self, yes: bool) -> Self {
        self.memory.core_dumps = yes;
        self
    }
}
