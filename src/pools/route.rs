//! From a layout to its lane: a few comparisons with numbers that lie side by side.
//!
//! Branches, because programs ask for the same few sizes over and over, and then a guess is free; Small first, because there a
//! nanosecond counts most. A size that may have every slot of its class takes one comparison there, one that may not takes two.

use core::alloc::Layout;

use super::Pools;
use crate::config::plan::{ClassPlan, Plan};
use crate::metadata::Metadata;
use crate::slots::class::{CLASSES, SLOT_STEP};
use crate::slots::lane::Lane;
use crate::stats::counters::FallbackReason;
use crate::thread::current::StateGuard;

/// What it takes to find a size's lane.
#[repr(C)]
pub(super) struct Routes {
    /// Sizes below this fit the class's slots: one more than a slot has bytes, or 0 where no size has a route, not even 0.
    fits_below: [usize; CLASSES],
    /// Sizes that may have the held-back lane and are not below the floor.
    held_back_from: [usize; CLASSES],
    floor: [usize; CLASSES],
    /// Sizes of the smallest class below `held_back_from`, and none that is larger than its slots.
    tiny_below: usize,
}

impl Routes {
    pub(super) const fn new(plan: &Plan) -> Self {
        let mut routes = Self {
            fits_below: [0; CLASSES],
            held_back_from: [0; CLASSES],
            floor: [0; CLASSES],
            tiny_below: 0,
        };
        let mut i = 0;
        while i < CLASSES {
            let ClassPlan { slab, floor, held_back_from, .. } = plan.classes[i];
            routes.fits_below[i] = slab.slot_bytes + 1;
            routes.held_back_from[i] = if held_back_from > floor { held_back_from } else { floor };
            routes.floor[i] = floor;
            i += 1;
        }
        let (held_back_from, larger) = (routes.held_back_from[0], routes.fits_below[0]);
        routes.tiny_below = if held_back_from < larger { held_back_from } else { larger };
        routes
    }

    /// So that no size has a route. What decides within a class stays, and so does what is asked only inside a thread's own place.
    pub(super) fn remove_all(&mut self) {
        self.fits_below = [0; CLASSES];
    }
}

/// Why a layout has no lane to go to at once.
pub(crate) enum NoRoute {
    /// The fallback serves it.
    Fallback(FallbackReason),
    /// Something rare: [`Pools::take`] finds out.
    NeedsSlowPath,
}

impl Pools {
    /// The lane of a layout, whether the pools serve or not.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn route(&self, layout: Layout) -> Result<Lane, NoRoute> {
        self.by_class(layout, |class| self.lane_above_floor(class, layout.size()))?.map_err(NoRoute::Fallback)
    }

    /// The lane that a live block of this layout is most likely of, served at present or not.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn lane_of(&self, layout: Layout) -> Option<Lane> {
        let is_held_back = |class: usize| layout.size() >= self.routes().held_back_from[class];
        self.by_class(layout, |class| Lane::new(class, is_held_back(class))).ok()
    }

    /// What `of_class` says of the smallest class that has room for a layout. A branch for each class, which knows its number.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn by_class<R>(&self, layout: Layout, of_class: impl Fn(usize) -> R) -> Result<R, NoRoute> {
        let size = layout.size();
        let [small, medium, large, xlarge] = self.routes().fits_below;
        if layout.align() > SLOT_STEP {
            cold_path();
            return Err(NoRoute::NeedsSlowPath);
        }
        if size < small {
            return Ok(of_class(0));
        }
        cold_path();
        if size < medium {
            return Ok(of_class(1));
        }
        cold_path();
        if size < large {
            Ok(of_class(2))
        } else if size < xlarge {
            Ok(of_class(3))
        } else {
            Err(NoRoute::Fallback(FallbackReason::TooLarge))
        }
    }

    /// The lane of any layout, also of a strictly aligned one, and while no size has a route. For slow paths.
    pub(super) fn lane_for(&self, layout: Layout) -> Result<Lane, FallbackReason> {
        let classes = &self.plan().classes;
        match classes.iter().position(|class| class.fits(layout)) {
            Some(class) => self.lane_above_floor(class, layout.size()),
            None if layout.size() > classes[CLASSES - 1].slab.slot_bytes => Err(FallbackReason::TooLarge),
            None => Err(FallbackReason::OverAligned),
        }
    }

    /// Whether a layout is too small for Small's held-back lane.
    #[inline(always)]
    pub(crate) fn is_tiny(&self, layout: Layout) -> bool {
        layout.size() < self.routes().tiny_below
    }

    /// Why there is nothing for a tiny layout, if three comparisons tell; `None` says nothing.
    ///
    /// Asked before anything else, because tiny objects take all of Small's open lane within the first milliseconds of many programs.
    /// Nobody's slots are called in for them, so what other threads have cached does not count.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn tiny_bypass(
        &self,
        guard: &StateGuard,
        metadata: &Metadata,
        layout: Layout,
    ) -> Option<FallbackReason> {
        if layout.size() < self.routes().floor[0] {
            return Some(FallbackReason::BelowFloor(0));
        }
        let is_dry =
            guard.magazine(Lane::TINY).is_empty() && metadata.lanes[Lane::TINY.index()].set.is_exhausted();
        is_dry.then_some(FallbackReason::HeldBack(0))
    }

    #[inline(always)]
    fn lane_above_floor(&self, class: usize, size: usize) -> Result<Lane, FallbackReason> {
        if size >= self.routes().held_back_from[class] {
            return Ok(Lane::new(class, true));
        }
        cold_path();
        if size >= self.routes().floor[class] {
            Ok(Lane::new(class, false))
        } else {
            Err(FallbackReason::BelowFloor(class))
        }
    }
}

/// Whether its alignment is one that `malloc` gives without being asked: `System` starts with the same question, and need not ask again.
#[inline(always)]
pub(crate) fn has_malloc_alignment(layout: Layout) -> bool {
    layout.align() <= 16 && layout.align() <= layout.size()
}

/// Makes the compiler lay the code that comes here aside.
#[cold]
#[inline]
pub(crate) fn cold_path() {}
