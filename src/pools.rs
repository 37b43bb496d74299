//! The four pools as one: layout -> slot, address -> slot, start-up, statistics.
//!
//! This module knows no fallback. If the pools do not serve a request, the caller goes to the fallback. So no
//! state of the pools is held across a call into the fallback.
//!
//! A program's pools are reserved on the first allocation and never torn down. The pools of a value (a
//! `BufferPool`) are unmapped with it. Another thread, or the code that a signal interrupted, may be
//! reserving the pools. Then the calling thread goes to the fallback for this call. No thread waits.

mod counting;
mod fast_path;
mod find;
mod invariants;
mod recording;
mod residency;
mod route;
mod slow_path;
mod start_up;
mod trim;
mod uncached;

use core::alloc::Layout;

pub(crate) use find::LiveSlot;
use route::Routes;
pub(crate) use route::{NoRoute, cold_path, has_malloc_alignment};

use crate::config::plan::Plan;
use crate::config::{Config, MemoryConfig};
use crate::lifecycle::serving::{Serving, State};
use crate::memory::options::AppliedOptions;
use crate::metadata::Metadata;
use crate::metadata::published::MetadataCell;
use crate::metadata::slot_state::SlotState;
use crate::os::asan;
use crate::slots::class::Class;
use crate::slots::lane::Lane;
use crate::slots::slot_map::SlotTag;
use crate::sync::StartUpCell;
use crate::thread::current::OwnState;

/// The pools of one allocator. The fields that every call reads come first.
#[repr(C, align(128))]
pub(crate) struct Pools {
    /// Points to the metadata while the pools serve. During a [recording] the span is all of the address
    /// space, so that every block looks like a slot.
    serving: Serving<Metadata>,
    routes: StartUpCell<Routes>,
    hardened: bool,
    zero_on_free: bool,
    /// The tag, apart from its lane, that a slot must have for a free on the fast path; `NEVER` with
    /// `hardened` or `zero_on_free`.
    freed_fast: SlotTag,
    metadata_cell: MetadataCell,
    /// Whether threads have magazines and counters of their own in the metadata, because it is never
    /// unmapped.
    has_places: bool,
    plan: StartUpCell<Plan>,
    /// The configuration as it was built, and as the environment may have changed it.
    config: Config,
    config_in_force: StartUpCell<Config>,
    options: AppliedOptions,
}

/// Memory that was taken from a pool just now.
pub(crate) struct Block {
    pub(crate) start: *mut u8,
    pub(crate) is_clean: bool,
}

/// Where a block goes that shrinks to at most a quarter of its slot.
pub(crate) enum Shrink {
    /// It stays: its slot is where a new request of its size would go.
    Stays,
    /// It moves into this slot, of the class that a new request of its size would get.
    Moves(Block),
    /// No slot is free for it, or its size is below that class's floor. If the fallback has no memory, it stays.
    ToFallback,
}

// SAFETY: a slot belongs to the owner of its block, on any thread.
unsafe impl Send for Block {}

impl Block {
    /// Returns the start of the block, after clearing the bytes of `layout` if the slot is dirty.
    ///
    /// # Safety
    ///
    /// The block serves `layout`, and no other code knows it yet.
    #[inline(always)]
    pub(crate) unsafe fn zeroed(self, layout: Layout) -> *mut u8 {
        if !self.is_clean {
            // SAFETY: a slot has at least the bytes of the layouts that it serves.
            unsafe { self.start.write_bytes(0, layout.size()) };
        }
        self.start
    }
}

impl Pools {
    /// Creates the pools of a program, which are never unmapped.
    pub(crate) const fn new(config: &Config) -> Self {
        Self::with_places(config, true)
    }

    /// Creates the pools of a value, to be [unmapped](Self::unmap) with it.
    pub(crate) fn of_a_value(config: &Config) -> Self {
        Self::with_places(config, false)
    }

    const fn with_places(config: &Config, has_places: bool) -> Self {
        let plan = Plan::new(config);
        let routes = Routes::new(&plan);
        Self {
            serving: Serving::new(),
            hardened: config.hardened,
            zero_on_free: config.zero_on_free,
            freed_fast: if config.hardened || config.zero_on_free { SlotTag::NEVER } else { SlotTag::LIVE },
            routes: StartUpCell::new(routes),
            metadata_cell: MetadataCell::new(),
            has_places,
            plan: StartUpCell::new(plan),
            config: *config,
            config_in_force: StartUpCell::new(*config),
            options: AppliedOptions::new(),
        }
    }

    /// The plan that follows from the table. For start-up, and for a thread that read in `serving`, `span` or
    /// `state` that start-up is over.
    #[inline(always)]
    fn plan(&self) -> &Plan {
        // SAFETY: only start-up sets the plan, before it stores any of the three (Release). They are read
        // with Acquire.
        unsafe { self.plan.get() }
    }

    /// The routes, as hits read them.
    #[inline(always)]
    fn routes(&self) -> &Routes {
        // SAFETY: start-up sets the routes where it sets the plan, so the same proof holds.
        unsafe { self.routes.get() }
    }

    /// This thread's own place, if it has one and is not interrupted there.
    #[inline]
    pub(crate) fn own(&self) -> Option<OwnState> {
        let metadata = self.metadata_cell.pointer();
        if metadata.is_null() { None } else { OwnState::at(metadata.addr()) }
    }

    /// Returns the configuration in force; before the pools have started, the one that they were built with.
    pub(crate) fn config(&self) -> Config {
        if matches!(self.serving.state(), State::Ready | State::Failed) {
            // SAFETY: only start-up sets it, before it stores the state that was just read.
            unsafe { *self.config_in_force.get() }
        } else {
            self.config
        }
    }

    /// The requests for the slots' memory that are in force. For start-up, and for a thread that knows that the
    /// pools have their memory.
    fn memory_config(&self) -> MemoryConfig {
        // SAFETY: only start-up sets it, before it stores that there is a reservation.
        unsafe { self.config_in_force.get() }.memory
    }

    /// Whether the pools are switched on.
    pub(crate) fn is_enabled(&self) -> bool {
        self.serving.is_enabled()
    }

    /// Whether the pools are ready and switched on.
    #[inline]
    fn is_serving(&self) -> bool {
        !self.serving.pointer().is_null()
    }

    /// The metadata. For a thread that knows that the pools are ready.
    #[inline(always)]
    pub(crate) fn metadata(&self) -> &Metadata {
        // SAFETY: `serving` or `span` said that the pools are ready. Start-up stored these after it had
        // published the metadata.
        unsafe { self.metadata_cell.get_published() }
    }

    /// Marks a slot live that was just taken for `size` bytes.
    #[inline(always)]
    fn hand_out(metadata: &Metadata, lane: Lane, start: *mut u8, size: usize) -> Block {
        // SAFETY: the start of a slot of this lane, which is this thread's alone since the set or the
        // magazine let go of it.
        let cell = unsafe { metadata.map.cell_of_start(start.addr()) };
        let is_clean = cell.is_clean();
        cell.hand_out(lane);
        asan::unpoison_prefix(start, size, metadata.slot_bytes(lane));
        Block { start, is_clean }
    }

    /// Writes the states of the slots of a class to `states`, as many as it has room for, and returns how
    /// many these were.
    pub(crate) fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize {
        self.metadata_cell.get().map_or(0, |metadata| metadata.slot_states(class as usize, states))
    }
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
