//! From a layout to its lane: a few comparisons with numbers that lie side by side.
//!
//! The comparisons are branches: programs ask for the same few sizes again and again, and a predicted branch
//! is free. Small comes first, because there a nanosecond counts most. In its class, a size that may have
//! every slot takes one comparison, any other takes two.

use core::alloc::Layout;

use super::Pools;
use crate::config::plan::{ClassPlan, Plan};
use crate::metadata::Metadata;
use crate::slots::class::{CLASSES, SLOT_STEP};
use crate::slots::lane::Lane;
use crate::stats::counters::FallbackReason;
use crate::thread::current::StateGuard;
use crate::tunables::REFUSED_FROM;

/// The numbers that lead from a size to its lane.
#[repr(C)]
pub(super) struct Routes {
    /// Sizes below this fit the class's slots: the slot's bytes plus one, or 0 if no size has a route, not
    /// even 0.
    fits_below: [usize; CLASSES],
    /// Sizes from this on may have the held-back lane and are not below the floor.
    held_back_from: [usize; CLASSES],
    floor: [usize; CLASSES],
    /// Sizes below this fit the smallest class, and are below its `held_back_from`, and are not counted by size
    /// if they are refused.
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
        let tiny_below = if held_back_from < larger { held_back_from } else { larger };
        routes.tiny_below = if tiny_below < REFUSED_FROM { tiny_below } else { REFUSED_FROM };
        routes
    }

    /// Removes the routes of all sizes. The numbers that decide within a class stay, and so does
    /// `tiny_below`, which is read only inside a thread's own place.
    pub(super) fn remove_all(&mut self) {
        self.fits_below = [0; CLASSES];
    }
}

/// The reason why the fast path finds no lane for a layout.
pub(crate) enum NoRoute {
    /// The fallback serves it.
    Fallback(FallbackReason),
    /// A rare case, which [`Pools::take`] decides.
    NeedsSlowPath,
}

impl Pools {
    /// Returns the lane of a layout, whether the pools serve or not.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn route(&self, layout: Layout) -> Result<Lane, NoRoute> {
        self.by_class(layout, |class| self.lane_above_floor(class, layout.size()))?.map_err(NoRoute::Fallback)
    }

    /// Returns the lane that a live block of this layout most likely came from, whether the pools serve it
    /// now or not.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn lane_of(&self, layout: Layout) -> Option<Lane> {
        let is_held_back = |class: usize| layout.size() >= self.routes().held_back_from[class];
        self.by_class(layout, |class| Lane::new(class, is_held_back(class))).ok()
    }

    /// Calls `of_class` with the smallest class that has room for a layout. Each class has a branch, which
    /// knows its number.
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

    /// Returns the lane of any layout, even if it is strictly aligned or no size has a route. For slow paths.
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

    /// Returns the reason why the pools have nothing for a tiny layout, if three comparisons decide; `None`
    /// means undecided.
    ///
    /// It comes before everything else, because tiny objects take all of Small's open lane within the first
    /// milliseconds of many programs. Tiny layouts start no reclaim, so what other threads have cached does
    /// not count.
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

/// The alignment in bytes that `malloc` gives to every block of at least that size. std decides by architecture
/// and has less for a few; then a request that `System` would not have to align takes the slower of two ways here.
const MIN_ALIGN: usize = if cfg!(target_pointer_width = "64") { 16 } else { 8 };

/// Whether `malloc` gives this alignment without being asked. `System` starts with the same question and can
/// skip it.
#[inline(always)]
pub(crate) fn has_malloc_alignment(layout: Layout) -> bool {
    layout.align() <= MIN_ALIGN && layout.align() <= layout.size()
}

/// Tells the compiler that the branch which calls this is rarely taken, so that its code is laid out of line.
#[cold]
#[inline]
pub(crate) fn cold_path() {}
