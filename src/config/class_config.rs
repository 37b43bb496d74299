//! The configuration of one class, and its defaults.

use crate::tunables::{
    MAGAZINE_DEFAULT_LIMIT, MAGAZINE_DEFAULT_LIMIT_BYTES, MAGAZINE_FIRST, MAGAZINE_FIRST_BYTES, MAGAZINE_MIN,
};

/// The configuration of one class, as the user gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassConfig {
    pub(crate) slot_bytes: usize,
    pub(super) slots: usize,
    pub(crate) floor: usize,
    pub(super) hold_back: HoldBack,
    /// Slots of a lane that a thread may cache. `None` means that the slot size decides.
    pub(super) magazine: Option<usize>,
}

/// The hold-back of a class: its last slots are kept for layouts of a minimum size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoldBack {
    /// Half of the slots for layouts of at least a quarter of a slot: the default of Small and Medium.
    Half,
    Slots {
        slots: usize,
        min_bytes: usize,
    },
}

impl HoldBack {
    pub(super) const NONE: Self = Self::Slots { slots: 0, min_bytes: 0 };
}

impl ClassConfig {
    pub(super) const fn new((slot_bytes, slots): (usize, usize), hold_back: HoldBack) -> Self {
        Self { slot_bytes, slots, floor: 0, hold_back, magazine: None }
    }

    /// Returns how many slots are held back, and the minimum size in bytes of the layouts that may have them.
    pub(crate) const fn held_back(&self) -> (usize, usize) {
        match self.hold_back {
            HoldBack::Half => (self.slots / 2, self.slot_bytes / 4),
            HoldBack::Slots { slots, min_bytes } => (slots, min_bytes),
        }
    }

    /// Returns the maximum number of slots of a lane that a thread may cache.
    pub(super) const fn magazine(&self) -> usize {
        match self.magazine {
            Some(slots) => slots,
            None => {
                clamp(MAGAZINE_DEFAULT_LIMIT_BYTES / self.slot_bytes, MAGAZINE_MIN, MAGAZINE_DEFAULT_LIMIT)
            }
        }
    }

    /// Returns the number of slots of a lane that a thread may cache at first.
    pub(super) const fn first_magazine(&self) -> usize {
        clamp(MAGAZINE_FIRST_BYTES / self.slot_bytes, MAGAZINE_FIRST, MAGAZINE_DEFAULT_LIMIT)
    }
}

const fn clamp(n: usize, min: usize, max: usize) -> usize {
    if n < min {
        min
    } else if n > max {
        max
    } else {
        n
    }
}
