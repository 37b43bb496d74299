//! The four pools as one: layout -> slot, address -> slot, start-up, statistics.
//!
//! Knows no fallback: it says "not from here" and the caller goes there, so no state of ours is ever held across a call into
//! it. A program's pools are reserved on the first allocation and never torn down; those of a value go with it. Whoever finds another thread (or the code
//! that a signal interrupted) at that goes to the fallback for this once; nobody waits.

mod fast_path;
mod find;
mod recording;
mod residency;
mod route;
mod start_up;
mod trim;

use core::alloc::Layout;

pub(crate) use find::Found;
use route::Routes;
pub(crate) use route::{Detour, is_plain, unlikely};

use crate::config::Config;
use crate::config::plan::Plan;
use crate::lifecycle::serving::{Serving, State};
use crate::memory::options::Readiness;
use crate::metadata::published::Home;
use crate::metadata::slot_state::SlotState;
use crate::metadata::{Metadata, Tally};
use crate::os::asan;
use crate::slots::class::{CLASSES, Class};
use crate::slots::lane::Lane;
use crate::slots::slot_map::Slot;
use crate::stats::counters::{Counters, Refusal};
use crate::sync::{AtomicU64, SetOnce};
use crate::thread::state::Own;

/// One allocator's pools. What every call reads comes first.
#[repr(C, align(128))]
pub(crate) struct Pools {
    /// Out of the metadata. During a [recording] it spans all there is, so that every block looks owned.
    serving: Serving<Metadata>,
    routes: SetOnce<Routes>,
    hardened: bool,
    zero_on_free: bool,
    /// What a byte says whose slot may be freed without either of the two.
    freed_quickly: Slot,
    home: Home,
    /// Whether threads have magazines and counters of their own there, because it is never unmapped.
    has_places: bool,
    plan: SetOnce<Plan>,
    config: Config,
    readiness: Readiness,
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
            freed_quickly: if config.hardened || config.zero_on_free { Slot::NEVER } else { Slot::LIVE },
            routes: SetOnce::new(routes),
            home: Home::new(),
            has_places,
            plan: SetOnce::new(plan),
            config: *config,
            readiness: Readiness::new(config.memory),
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
    pub(crate) fn own(&self) -> Option<Own> {
        let metadata = self.home.pointer();
        if metadata.is_null() { None } else { Own::at(metadata.addr()) }
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
        unsafe { self.home.get_published() }
    }

    /// Marks a slot live that was just taken for `size` bytes.
    #[inline(always)]
    fn hand_out(metadata: &Metadata, lane: Lane, start: *mut u8, size: usize) -> Block {
        // SAFETY: the start of a slot of this lane, which is this thread's alone since the set or the magazine let go of it.
        let entry = unsafe { metadata.map.entry_of_start(start.addr()) };
        let is_clean = entry.is_clean();
        entry.hand_out(lane);
        asan::open(start, size, metadata.slot_bytes(lane));
        Block { start, is_clean }
    }

    /// A slot for `layout`, or `None` if the fallback has to serve it; counted either way.
    pub(crate) fn take(&self, tally: Tally<'_>, layout: Layout) -> Option<Block> {
        if self.is_serving()
            && let Ok(lane) = self.route(layout)
        {
            return self.take_from(tally, lane, layout.size());
        }
        self.take_unusual(tally, layout)
    }

    /// [`take`](Self::take) of a layout without a route, or while the pools do not serve.
    #[inline(never)]
    fn take_unusual(&self, tally: Tally<'_>, layout: Layout) -> Option<Block> {
        let size = layout.size();
        if !self.is_serving() {
            match self.serving.state() {
                State::Untouched | State::Starting => {
                    return refuse(tally, size, |counters| &counters.starting);
                }
                // Whoever changed one of the two has not said so yet, or never will: it is a thread that a `fork` left behind.
                State::Ready if self.serving.is_enabled() => self.serving.refresh(self.home.pointer()),
                _ => {}
            }
            if !self.is_serving() {
                return refuse(tally, size, |counters| &counters.disabled);
            }
        }
        if size > self.plan().classes[CLASSES - 1].slab.slot_bytes {
            return refuse(tally, size, |counters| &counters.too_large);
        }
        match self.plan().classes.iter().position(|class| class.fits(layout)) {
            Some(class) => match self.lane_above_floor(class, size) {
                Ok(lane) => self.take_from(tally, lane, size),
                Err(_) => {
                    refuse(tally, size, |counters| &counters.refused[class][Refusal::BelowFloor as usize])
                }
            },
            None => refuse(tally, size, |counters| &counters.over_aligned),
        }
    }

    /// A slot of `lane`'s class for `size` bytes; counted either way. The pools are ready.
    fn take_from(&self, tally: Tally<'_>, lane: Lane, size: usize) -> Option<Block> {
        let taken = self.take_slot(tally, lane, size);
        if taken.is_some() {
            return taken;
        }
        self.count_refusal(tally, lane, size);
        None
    }

    /// Counts a request of `size` bytes for which a lane has no slot.
    pub(crate) fn count_refusal(&self, tally: Tally<'_>, lane: Lane, size: usize) {
        let class = lane.class();
        let reason = if lane.is_held() { Refusal::Miss } else { Refusal::HeldBack };
        if lane.is_held() {
            self.metadata().look_at_peak_of_miss(class);
        }
        refuse(tally, size, |counters| &counters.refused[class][reason as usize]);
    }

    /// The lane that a layout is served from as soon as it has a slot; `None` if that will never be.
    pub(crate) fn lane_to_wait_for(&self, layout: Layout) -> Option<Lane> {
        if !self.is_serving() {
            return None;
        }
        let class = self.plan().classes.iter().position(|class| class.fits(layout))?;
        let lane = self.lane_above_floor(class, layout.size()).ok()?;
        (lane.is_held() || !self.plan().lane(lane).is_empty()).then_some(lane)
    }

    /// Nobody who gives a slot that a layout of this lane may have misses what this thread did before: see
    /// [`SlotSet::meet_givers`](crate::slots::slot_set::SlotSet::meet_givers).
    pub(crate) fn meet_givers(&self, lane: Lane) {
        for lane in [lane, lane.open()] {
            self.metadata().pool(lane).set().meet_givers();
        }
    }

    /// Whether a block that shrinks to `size` bytes is to leave its slot: it would leave three quarters of the slot empty.
    #[inline]
    pub(crate) fn is_too_small_for(&self, size: usize, found: Found) -> bool {
        size <= self.slot_bytes(found) / 4
    }

    /// Where a block goes that shrinks to a layout which is [too small](Self::is_too_small_for) for its slot: where a new request would go, but
    /// without a reclaim. Only a hit is counted.
    pub(crate) fn shrink(&self, tally: Tally<'_>, layout: Layout, found: Found) -> Shrink {
        if !self.is_serving() {
            return Shrink::ToFallback;
        }
        let class = self.plan().classes.iter().position(|class| class.fits(layout));
        // A stricter alignment than the slot's, which only `Allocator` can ask for.
        let Some(class) = class.filter(|&class| class <= found.lane.class()) else { return Shrink::Stays };
        let Ok(lane) = self.lane_above_floor(class, layout.size()) else { return Shrink::ToFallback };
        // A slot of its class is no larger than it needs, unless that is held back for larger layouts.
        if class == found.lane.class() && (lane.is_held() || !found.lane.is_held()) {
            return Shrink::Stays;
        }
        let taken = self.metadata().pool(lane).take_without_reclaim(tally.own());
        taken.map_or(Shrink::ToFallback, |taken| Shrink::Moves(self.count_taken(tally, taken, layout.size())))
    }

    /// A slot of `lane`'s class for `size` bytes; only a hit is counted. The pools are ready.
    pub(crate) fn take_slot(&self, tally: Tally<'_>, lane: Lane, size: usize) -> Option<Block> {
        let taken = self.metadata().pool(lane).take(tally.own())?;
        Some(self.count_taken(tally, taken, size))
    }

    /// Hands out a slot that was taken for `size` bytes, counted as a hit.
    fn count_taken(&self, tally: Tally<'_>, (start, lane): (*mut u8, Lane), size: usize) -> Block {
        let metadata = self.metadata();
        tally.hit(lane, size);
        metadata.look_at_peak(lane.class());
        Self::hand_out(metadata, lane, start, size)
    }

    /// Frees a slot.
    ///
    /// Aborts if it turns out that another thread has just freed it too. Always so with `hardened`; otherwise only if both frees
    /// reach the set before the slot is taken again.
    ///
    /// # Safety
    ///
    /// It was just found, and nobody uses its memory any more.
    pub(crate) unsafe fn give(&self, tally: Tally<'_>, found: Found) {
        let Found { start, lane } = found;
        let metadata = self.metadata();
        // SAFETY: the start of a live slot of this lane, which is this thread's until the pool has it.
        let entry = unsafe { metadata.map.entry_of_start(start.addr()) };
        if !self.hardened {
            entry.retire(lane);
        } else if !entry.retire_once(lane) {
            metadata.pool(lane).double_free(start);
        }
        if self.zero_on_free {
            asan::open(start, self.slot_bytes(found), self.slot_bytes(found));
            // SAFETY: a whole slot.
            unsafe { start.write_bytes(0, self.slot_bytes(found)) };
            entry.set_clean(lane);
        }
        asan::close(start, metadata.slot_bytes(lane));
        // Before the slot can be taken again: see `counters`.
        tally.lane(lane, |counters, add| add(&counters.returns, 1));
        metadata.pool(lane).give(tally.own(), metadata.own_pointer(start));
    }

    /// Counts a `realloc` to `size` bytes that stays in its slot.
    #[inline(always)]
    pub(crate) fn count_in_place(&self, tally: Tally<'_>, found: Found, size: usize) {
        tally.lane(found.lane, |counters, add| {
            add(&counters.reallocs_in_place, 1);
            add(&counters.requested_bytes, size as u64);
        });
        asan::open(found.start, size, self.slot_bytes(found));
    }

    /// All bytes of the live slot that starts at `start`, for its owner to use; `None` if it is none of ours.
    pub(crate) fn open_whole(&self, start: *mut u8) -> Option<usize> {
        let bytes = self.usable_size(start)?;
        asan::open(start, bytes, bytes);
        Some(bytes)
    }

    /// Where the slots of a class are, as many as there is room for; how many that were.
    pub(crate) fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize {
        self.home.get().map_or(0, |metadata| metadata.slot_states(class as usize, states))
    }
}

/// Counts a request that the fallback has to serve.
#[inline(always)]
fn refuse(tally: Tally<'_>, size: usize, reason: impl Fn(&Counters) -> &AtomicU64) -> Option<Block> {
    count_passed_on(tally, size, reason);
    None
}

/// Counts a call of the fallback for `size` bytes, in the counter that says why.
#[inline(always)]
pub(crate) fn count_passed_on(tally: Tally<'_>, size: usize, reason: impl Fn(&Counters) -> &AtomicU64) {
    tally.count(|counters, add| {
        add(reason(counters), 1);
        add(&counters.fallback_bytes, size as u64);
    });
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
