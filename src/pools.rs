//! The four pools as one: layout -> slot, address -> slot, start-up, statistics.
//!
//! Knows no fallback: it says "not from here" and the caller goes there, so no state of ours is ever held across a call into
//! it. A program's pools are reserved on the first allocation and never torn down; those of a value go with it. Whoever finds another thread (or the code
//! that a signal interrupted) at that goes to the fallback for this once; nobody waits.

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

use core::alloc::Layout;

pub(crate) use find::LiveSlot;
use route::Routes;
pub(crate) use route::{NoRoute, cold_path, has_malloc_alignment};

use crate::config::Config;
use crate::config::plan::Plan;
use crate::lifecycle::serving::Serving;
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

/// One allocator's pools. What every call reads comes first.
#[repr(C, align(128))]
pub(crate) struct Pools {
    /// Out of the metadata. During a [recording] it spans all there is, so that every block looks owned.
    serving: Serving<Metadata>,
    routes: StartUpCell<Routes>,
    hardened: bool,
    zero_on_free: bool,
    /// What a byte says whose slot may be freed without either of the two.
    freed_fast: SlotTag,
    metadata_cell: MetadataCell,
    /// Whether threads have magazines and counters of their own there, because it is never unmapped.
    has_places: bool,
    plan: StartUpCell<Plan>,
    config: Config,
    options: AppliedOptions,
}

/// Memory that was taken from a pool just now.
pub(crate) struct Block {
    pub(crate) start: *mut u8,
    pub(crate) is_clean: bool,
}

/// What becomes of a block that shrinks to at most a quarter of its slot.
pub(crate) enum Shrink {
    /// It is where a new request of its size would go.
    Stays,
    /// There is a slot for it of the class that a new request of its size would get.
    Moves(Block),
    /// There is none, or it is below that class's floor. If the fallback refuses, it stays.
    ToFallback,
}

// SAFETY: a slot is whoever's has the block, whatever the thread.
unsafe impl Send for Block {}

impl Block {
    /// Its start, its first bytes all zeros.
    ///
    /// # Safety
    ///
    /// It serves `layout`, and nobody knows it yet.
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
    /// The pools of a program, for ever.
    pub(crate) const fn new(config: &Config) -> Self {
        Self::with_places(config, true)
    }

    /// The pools of a value, to be [unmapped](Self::unmap) with it.
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
            options: AppliedOptions::new(config.memory),
        }
    }

    /// What follows from the table. For start-up, and for whoever saw `serving`, `span` or `state` say that it is over.
    #[inline(always)]
    fn plan(&self) -> &Plan {
        // SAFETY: the plan is set by start-up only, before it stores any of the three (Release), which are read with Acquire.
        unsafe { self.plan.get() }
    }

    /// The same, as hits read it.
    #[inline(always)]
    fn routes(&self) -> &Routes {
        // SAFETY: as above.
        unsafe { self.routes.get() }
    }

    /// This thread's own place, if it has one and is not interrupted there.
    #[inline]
    pub(crate) fn own(&self) -> Option<OwnState> {
        let metadata = self.metadata_cell.pointer();
        if metadata.is_null() { None } else { OwnState::at(metadata.addr()) }
    }

    /// Whether the pools are ready and not switched off.
    #[inline]
    fn is_serving(&self) -> bool {
        !self.serving.pointer().is_null()
    }

    /// The pools are ready.
    #[inline(always)]
    pub(crate) fn metadata(&self) -> &Metadata {
        // SAFETY: `serving` or `span` said that they are, which start-up stored after that.
        unsafe { self.metadata_cell.get_published() }
    }

    /// Marks a slot live that was just taken for `size` bytes.
    #[inline(always)]
    fn hand_out(metadata: &Metadata, lane: Lane, start: *mut u8, size: usize) -> Block {
        // SAFETY: the start of a slot of this lane, which is this thread's alone since the set or the magazine let go of it.
        let cell = unsafe { metadata.map.cell_of_start(start.addr()) };
        let is_clean = cell.is_clean();
        cell.hand_out(lane);
        asan::unpoison_prefix(start, size, metadata.slot_bytes(lane));
        Block { start, is_clean }
    }

    /// Where the slots of a class are, as many as there is room for; how many that were.
    pub(crate) fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize {
        self.metadata_cell.get().map_or(0, |metadata| metadata.slot_states(class as usize, states))
    }
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
