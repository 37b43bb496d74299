//! What the operating system is asked to do for the slots' memory: four switches of [`Config`].
//!
//! All of them are requests (P13). None can fail at compile time or end the process at run time; what came of them is in
//! [`Residency`](crate::Residency), as numbers. None costs a hit anything.

use super::Config;

/// The four switches.
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
    /// Asks for huge pages under the slots (`true`), or tells the system to keep to small ones (`false`). Default: `false`.
    ///
    /// Huge pages (2 MiB on most machines) make for fewer page faults and fewer TLB misses, and cost memory: the first byte
    /// written to 2 MiB makes all of it resident, so a pipeline that uses a few slots of each class takes some 20 MiB
    /// more. XLarge slots of 2 MiB are one huge page each; other slots share them.
    ///
    /// `false` is an order too: Linux is told to use none here, so that the memory of a program is the same where
    /// transparent huge pages are set to `always`. Where they are set to `never`, `true` gets none.
    #[must_use]
    pub const fn huge_pages(mut self, yes: bool) -> Self {
        self.memory.huge_pages = yes;
        self
    }

    /// Makes all slots resident when the pools are reserved, as [`prewarm`](crate::PoolAlloc::prewarm) does later. Default:
    /// `false`.
    ///
    /// The first allocation of the program then takes as long as the system needs to find and clear that memory: 0.1 to
    /// 0.4 ms a MiB, 2 ms in a virtual machine that has to be given it first. Where the process may not have so much (a
    /// container's limit), the system ends it, as it would had the program written to that memory by itself.
    #[must_use]
    pub const fn prefault(mut self, yes: bool) -> Self {
        self.memory.prefault = yes;
        self
    }

    /// Asks the system never to page the slots out. Default: `false`.
    ///
    /// On Linux 4.4 and later a page is locked from its first use on, so untouched slots still cost no memory; with
    /// [`prefault`](Config::prefault), or after [`prewarm`](crate::PoolAlloc::prewarm), all are resident and locked. Elsewhere
    /// locking makes all slots resident at once.
    ///
    /// The system counts all slots against `RLIMIT_MEMLOCK` (`ulimit -l`, often 8 MiB; the default table has 141), touched or
    /// not. Where that is too little, what fits is locked: the smaller classes first, and of the first class that does not
    /// fit, its lowest slots, which are the first to be handed out. Nothing is left of the limit then for the rest of the
    /// program. Locks do not pass to the child of a `fork`; `prewarm` there asks for them anew.
    #[must_use]
    pub const fn lock_memory(mut self, yes: bool) -> Self {
        self.memory.lock_memory = yes;
        self
    }

    /// Whether core dumps show what is in the slots. Default: `true`.
    ///
    /// `false` leaves the slots out (Linux), which keeps dumps of a program full of frames small, and what the frames show
    /// private. What the allocator knows about its slots stays in.
    #[must_use]
    pub const fn core_dumps(mut self, yes: bool) -> Self {
        self.memory.core_dumps = yes;
        self
    }
}
