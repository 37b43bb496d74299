//! The plan of an allocator, which follows from its [`Config`]: where each slab lies in the reservation, and
//! how coarse the slot map may be.
//!
//! It is computed when the allocator is built: at compile time for a `static`. If the environment variable
//! changes the configuration, start-up computes it again. The reservation is `guard, Small, guard, Medium,
//! guard, Large, guard, XLarge, guard`. Each slab starts at a multiple of its slot alignment and of the guard
//! size. So slots are aligned, and guards are whole pages on every machine.

use core::alloc::Layout;
use core::ops::Range;

use crate::config::{ClassConfig, Config, ConfigError, Problem, check, reject};
use crate::slots::class::{CLASSES, Class};
use crate::slots::lane::Lane;
use crate::slots::slab::Slab;
use crate::tunables::{GUARD_BYTES, MAGAZINE_CAPACITY, MAGAZINE_MIN, SLOT_BYTES_PER_MAP_BYTE};

/// The plan of one class: its slab, and which layouts may have a slot of it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct ClassPlan {
    pub(crate) slab: Slab,
    /// Layouts below this many bytes bypass the class.
    pub(crate) floor: usize,
    /// The minimum size in bytes of layouts that may have every slot: 0 if none is held back.
    pub(crate) held_back_from: usize,
    /// The number of slots held back: the last ones of the slab.
    pub(super) held: usize,
    /// Slots that a magazine of either lane may grow to, if the lane has enough, and slots that it starts
    /// with.
    magazine: (usize, usize),
}

const _: () = assert!(size_of::<ClassPlan>() <= 128, "keep ClassPlan within two cache lines");

impl ClassPlan {
    /// Whether every slot is large enough and aligned enough for `layout`.
    pub(crate) const fn fits(&self, layout: Layout) -> bool {
        layout.size() <= self.slab.slot_bytes && layout.align() <= self.slab.align
    }
}

/// The plan of one allocator's reservation.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) classes: [ClassPlan; CLASSES],
    /// Bytes from the start of the first guard to the end of the last one.
    pub(crate) span: usize,
    /// The alignment that the reservation's base must have.
    pub(crate) align: usize,
    /// A byte of the slot map stands for `1 << granule_shift` bytes of the reservation.
    pub(crate) granule_shift: u32,
}

impl Plan {
    /// Computes the plan of `config`.
    ///
    /// # Panics
    ///
    /// If the table makes no sense: see the errors of [`Config`].
    pub(crate) const fn new(config: &Config) -> Self {
        match Self::try_new(config) {
            Ok(plan) => plan,
            Err(error) => panic!("{}", error.text().as_str()),
        }
    }

    const fn try_new(config: &Config) -> Result<Self, ConfigError> {
        let mut plan = Self::EMPTY;
        check!(plan.fill(config));
        Ok(plan)
    }

    /// A plan without slots, to be [filled](Self::fill).
    const EMPTY: Self = Self {
        classes: [ClassPlan {
            slab: Slab::new(0, 64, 0),
            floor: 0,
            held_back_from: 0,
            held: 0,
            magazine: (0, 0),
        }; CLASSES],
        span: 0,
        align: 0,
        granule_shift: 0,
    };

    /// Fills in what follows from `config`. After an error the plan is unusable.
    ///
    /// It works in place, because start-up may run on a small stack.
    pub(crate) const fn fill(&mut self, config: &Config) -> Result<(), ConfigError> {
        check!(config.check());
        (self.span, self.align, self.granule_shift) = (GUARD_BYTES, GUARD_BYTES, usize::BITS);
        let mut i = 0;
        while i < CLASSES {
            check!(self.fill_class(i, &config.classes[i]));
            i += 1;
        }
        if self.span > isize::MAX as usize || check!(add(self.span, self.align)) > isize::MAX as usize {
            return overflow();
        }
        if self.span >> self.granule_shift > u32::MAX as usize {
            return reject(Problem::Granules { bytes: 1 << self.granule_shift });
        }
        if self.map_bytes() > config.reserved_bytes() / SLOT_BYTES_PER_MAP_BYTE {
            let granule_bytes = 1 << self.granule_shift;
            return reject(Problem::SlotMap { map_bytes: self.map_bytes(), granule_bytes });
        }
        Ok(())
    }

    /// Places the slab of a class behind the slab of the class below it.
    const fn fill_class(&mut self, i: usize, class: &ClassConfig) -> Result<(), ConfigError> {
        let slot_align = 1 << class.slot_bytes.trailing_zeros();
        let align = if slot_align > GUARD_BYTES { slot_align } else { GUARD_BYTES };
        let offset = check!(round_up(self.span, align));
        let end = check!(add(offset, check!(multiply(class.slot_bytes, class.slots))));
        self.span = check!(add(check!(round_up(end, GUARD_BYTES)), GUARD_BYTES));
        self.align = if align > self.align { align } else { self.align };
        let shift = class.slot_bytes.trailing_zeros();
        self.granule_shift = if shift < self.granule_shift { shift } else { self.granule_shift };

        let (held, min_bytes) = class.held_back();
        self.classes[i].slab = Slab::new(offset, class.slot_bytes, class.slots);
        self.classes[i].floor = class.floor;
        self.classes[i].held_back_from = if held == 0 { 0 } else { min_bytes };
        self.classes[i].held = held;
        self.classes[i].magazine = (class.magazine(), class.first_magazine());
        Ok(())
    }

    /// Returns the slots of a lane, as indices in the slab.
    pub(crate) const fn lane(&self, lane: Lane) -> Range<usize> {
        let class = &self.classes[lane.class()];
        let slots = class.slab.slots;
        let held_from = if class.held == 0 { 0 } else { slots - class.held };
        if lane.is_held_back() { held_from..slots } else { 0..held_from }
    }

    /// Returns how many slots of a lane a thread may cache at most, and at first. A small lane has no
    /// magazines: both are 0.
    ///
    /// The maximum is half of the held-back lane, so that two threads can have bursts of that size without
    /// meeting in the set. It is an eighth of the open lane, because layouts that may have only that lane
    /// start no reclaim.
    pub(crate) fn magazine(&self, lane: Lane) -> (usize, usize) {
        let (max, first) = self.classes[lane.class()].magazine;
        let slots = self.lane(lane).len();
        let share = if lane.is_held_back() { slots / 2 } else { slots / 8 };
        let max = max.min(share).min(MAGAZINE_CAPACITY);
        if max < MAGAZINE_MIN { (0, 0) } else { (max, first.min(max)) }
    }

    pub(crate) const fn map_bytes(&self) -> usize {
        (self.span >> self.granule_shift) + 1
    }

    /// Returns the slot that an offset of the reservation lies in, and the offset in that slot in bytes.
    /// `None` for guards and padding.
    pub(crate) fn locate(&self, offset: usize) -> Option<(Class, usize, usize)> {
        Class::ALL.into_iter().find_map(|class| {
            let (index, bytes_in) = self.classes[class as usize].slab.locate(offset)?;
            Some((class, index, bytes_in))
        })
    }
}

impl Config {
    /// Checks whether the table makes sense, for tables that are not known when the program is built.
    ///
    /// ```
    /// use framepool::{Class, Config};
    ///
    /// let error = Config::new().class(Class::Medium, 65_537, 64).validate().unwrap_err();
    /// assert!(error.to_string().ends_with("a slot size is a multiple of 64 bytes; the next one is 65600"));
    /// ```
    ///
    /// # Errors
    ///
    /// The first of the errors of [`Config`] that the table has, with a text that says what to change.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        let mut plan = Plan::EMPTY;
        plan.fill(self)
    }
}

const fn overflow<T>() -> Result<T, ConfigError> {
    reject(Problem::AddressSpace)
}

const fn add(a: usize, b: usize) -> Result<usize, ConfigError> {
    match a.checked_add(b) {
        Some(sum) => Ok(sum),
        None => overflow(),
    }
}

const fn multiply(a: usize, b: usize) -> Result<usize, ConfigError> {
    match a.checked_mul(b) {
        Some(product) => Ok(product),
        None => overflow(),
    }
}

/// Rounds `n` up to a multiple of `to`, a power of two.
const fn round_up(n: usize, to: usize) -> Result<usize, ConfigError> {
    Ok(check!(add(n, to - 1)) & !(to - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_are_aligned_and_a_whole_guard_apart() {
        let odd = Config::new().class(Class::Small, 320, 77).class(Class::XLarge, 3_110_400, 5);
        for config in [Config::new(), odd] {
            let plan = Plan::new(&config);
            let mut end: usize = 0;
            for ClassPlan { slab, .. } in plan.classes {
                assert!(slab.offset.is_multiple_of(slab.align) && slab.offset.is_multiple_of(GUARD_BYTES));
                assert!(slab.offset - end.next_multiple_of(GUARD_BYTES) >= GUARD_BYTES);
                assert!(slab.align.trailing_zeros() >= plan.granule_shift);
                end = slab.offset + slab.bytes();
            }
            assert!(plan.span - end.next_multiple_of(GUARD_BYTES) >= GUARD_BYTES);
            assert_eq!(plan.locate(0), None);
            assert_eq!(plan.locate(plan.span - 1), None);
        }
    }

    #[test]
    fn the_default_map_has_a_byte_for_each_kib() {
        let plan = Plan::new(&Config::new());
        assert_eq!(plan.granule_shift, 10);
        assert!(plan.map_bytes() < 150 << 10, "{}", plan.map_bytes());
    }
}
