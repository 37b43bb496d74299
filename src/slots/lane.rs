//! A lane: the open or the held-back slots of one class, each with a set and magazines of its own.
//!
//! Layouts that may have held-back slots try the held-back lane first. The other layouts use the open lane
//! only. So a hold-back costs a hit one more comparison. If a class holds nothing back,
//! every layout may have every slot. All slots are then in the held-back lane, and the open lane is empty.

use crate::slots::class::CLASSES;

/// The number of lanes.
pub(crate) const LANES: usize = 2 * CLASSES;

/// A lane, by its number: twice the number of its class, plus one if it is the held-back lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lane(u32);

impl Lane {
    pub(crate) const ALL: [Lane; LANES] =
        [Lane(0), Lane(1), Lane(2), Lane(3), Lane(4), Lane(5), Lane(6), Lane(7)];

    /// The open lane of the smallest class, the only lane for tiny objects.
    pub(crate) const TINY: Lane = Lane::new(0, false);

    #[inline(always)]
    pub(crate) const fn new(class: usize, is_held_back: bool) -> Self {
        Self(((class << 1) as u32 | is_held_back as u32) & (LANES as u32 - 1))
    }

    /// Returns the lane in the low bits of a byte.
    #[inline(always)]
    pub(super) const fn from_bits(bits: u8) -> Self {
        Self(bits as u32 & (LANES as u32 - 1))
    }

    #[inline(always)]
    pub(super) const fn bits(self) -> u8 {
        self.0 as u8
    }

    /// Returns the lane's number, masked so that the compiler knows that it is below [`LANES`].
    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        (self.0 & (LANES as u32 - 1)) as usize
    }

    #[inline(always)]
    pub(crate) const fn class(self) -> usize {
        self.index() >> 1
    }

    /// Whether this is the held-back lane of its class.
    #[inline(always)]
    pub(crate) const fn is_held_back(self) -> bool {
        self.0 & 1 != 0
    }

    /// Returns the open lane of the same class.
    #[inline(always)]
    pub(crate) const fn open(self) -> Self {
        Self(self.0 & !1)
    }
}

const _: () = assert!(LANES.is_power_of_two(), "make LANES a power of two: lanes are masked bits");
