//! From a layout to its lane: a few comparisons with numbers that lie side by side.
//!
//! Branches, because programs ask for the same few sizes over and over, and then a guess is free; Small first, because there a
//! nanosecond counts most. A size that may have every slot of its class takes one comparison there, one that may not takes two.

use core::alloc::Layout;

use super::Pools;
use crate::config::{CLASSES, SLOT_STEP};
use crate::lane::Lane;
use crate::plan::{ClassPlan, Plan};
use crate::sync::Ordering::Acquire;

/// What it takes to find a size's lane.
#[repr(C)]
pub(super) struct Routes {
    slot_bytes: [usize; CLASSES],
    /// Sizes that may have the held-back lane and are not below the floor.
    entitled_from: [usize; CLASSES],
    floor: [usize; CLASSES],
}

impl Routes {
    pub(super) const fn new(plan: &Plan) -> Self {
        let mut routes = Self { slot_bytes: [0; CLASSES], entitled_from: [0; CLASSES], floor: [0; CLASSES] };
        let mut i = 0;
        while i < CLASSES {
            let ClassPlan { slab, floor, entitled_from, .. } = plan.classes[i];
            routes.slot_bytes[i] = slab.slot_bytes;
            routes.entitled_from[i] = if entitled_from > floor { entitled_from } else { floor };
            routes.floor[i] = floor;
            i += 1;
        }
        routes
    }
}

/// Why a layout has no lane to go to at once.
pub(crate) enum Detour {
    /// No class has slots for it.
    TooLarge,
    /// It is below the floor of this class.
    BelowFloor(usize),
    /// Something rare: [`Pools::take`] finds out.
    Unusual,
}

impl Pools {
    /// The lane of a layout that is served at present.
    #[inline(always)]
    pub(crate) fn route(&self, layout: Layout) -> Result<Lane, Detour> {
        let size = layout.size();
        if layout.align() > SLOT_STEP {
            return Err(Detour::Unusual);
        }
        if size <= self.small_served.load(Acquire) {
            return self.lane_above_floor(0, size);
        }
        unlikely();
        let served_below = self.served_below.load(Acquire);
        if size >= served_below {
            return Err(if served_below > 0 { Detour::TooLarge } else { Detour::Unusual });
        }
        let [_, medium, large, _] = self.routes.slot_bytes;
        if size <= medium {
            self.lane_above_floor(1, size)
        } else if size <= large {
            self.lane_above_floor(2, size)
        } else {
            self.lane_above_floor(3, size)
        }
    }

    #[inline(always)]
    pub(super) fn lane_above_floor(&self, class: usize, size: usize) -> Result<Lane, Detour> {
        if size >= self.routes.entitled_from[class] {
            Ok(Lane::new(class, true))
        } else if size >= self.routes.floor[class] {
            Ok(Lane::new(class, false))
        } else {
            Err(Detour::BelowFloor(class))
        }
    }

    /// The lane that a live block of this layout is most likely of, served at present or not.
    #[inline(always)]
    pub(super) fn lane_of(&self, layout: Layout) -> Option<Lane> {
        let size = layout.size();
        let [small, medium, large, xlarge] = self.routes.slot_bytes;
        let lane = |class: usize| Some(Lane::new(class, size >= self.routes.entitled_from[class]));
        if layout.align() > SLOT_STEP {
            return None;
        }
        if size <= small {
            return lane(0);
        }
        unlikely();
        if size <= medium {
            lane(1)
        } else if size <= large {
            lane(2)
        } else if size <= xlarge {
            lane(3)
        } else {
            None
        }
    }
}

/// Makes the compiler lay the code that comes here aside.
#[cold]
#[inline]
fn unlikely() {}
