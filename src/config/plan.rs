//! What follows from a [`Config`]: where each slab lies in the reservation, and how coarse the slot map may be.
//!
//! Computed once, at compile time for a `static`. The reservation is `guard, Small, guard, Medium, guard, Large, guard,
//! XLarge, guard`; each slab starts at a multiple of its slot alignment and of the guard size, so that slots are
//! aligned and guards are whole pages on every machine.

use core::alloc::Layout;
use core::ops::Range;

use crate::config::{ClassConfig, Config, ConfigError, Problem, check, reject};
use crate::slots::class::{CLASSES, Class};
use crate::slots::lane::Lane;
use crate::slots::slab::Slab;
use crate::tunables::{GUARD_BYTES, MAGAZINE_CAPACITY, MAGAZINE_MIN, SLOT_BYTES_PER_MAP_BYTE};

/// One class: its slab, and who may have a slot of it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct ClassPlan {
    pub(crate) slab: Slab,
    /// Layouts below this many bytes bypass the class.
    pub(crate) floor: usize,
    /// Layouts from this many bytes on may have every slot: 0 where none is held back.
    pub(crate) held_back_from: usize,
    /// The last this many slots are held back.
    pub(super) held: usize,
    /// Slots that a magazine of either lane may grow to if the lane has enough, and those that it starts with.
    magazine: (usize, usize),
}

const _: () = assert!(size_of::<ClassPlan>() <= 128, "keep ClassPlan within two cache lines");

impl ClassPlan {
    /// Whether every slot is large enough for `layout` and aligned enough.
    pub(crate) const fn fits(&self, layout: Layout) -> bool {
        layout.size() <= self.slab.slot_bytes && layout.align() <= self.slab.align
    }
}

/// The layout of one allocator's reservation.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) classes: [ClassPlan; CLASSES],
    /// Bytes from the first guard to the end of the last.
    pub(crate) span: usize,
    /// What the reservation's base must be aligned to.
    pub(crate) align: usize,
    /// A byte of the slot map stands for `1 << granule_shift` bytes of the reservation.
    pub(crate) granule_shift: u32,
}

impl Plan {
    /// # Panics
    ///
    /// Where the table makes no sense: see [`Config`]'s errors.
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

    /// The plan of no slots, to be [filled](Self::fill).
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

    /// Becomes what follows from `config`; after an error, nothing of use. In place, because start-up may run on a small stack.
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

    /// Places the slab of a class behind that of the class before.
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

    /// The slots of a lane, by their index in the slab.
    pub(crate) const fn lane(&self, lane: Lane) -> Range<usize> {
        let class = &self.classes[lane.class()];
        let slots = class.slab.slots;
        let held_from = if class.held == 0 { 0 } else { slots - class.held };
        if lane.is_held_back() { held_from..slots } else { 0..held_from }
    }

    /// How many slots of a lane a thread may cache in the end, and at first; none in a small lane.
    ///
    /// Half of the lane at most, so that two threads can have bursts of so many without meeting. An eighth where
    /// hold-backs refuse what exceeds it, because nobody calls those slots in.
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

    /// The slot that an offset of the reservation lies in, and how many bytes in; `None` for guards and padding.
    pub(crate) fn locate(&self, offset: usize) -> Option<(Class, usize, usize)> {
        Class::ALL.into_iter().find_map(|class| {
            let (index, bytes_in) = self.classes[class as usize].slab.locate(offset)?;
            Some((class, index, bytes_in))
        })
    }
}

impl Config {
    /// Whether the table makes sense, for tables that are not known when the program is built.
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
    /// Those of [`Config`]: what is wrong first, and what to change.
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

/// `to` is a power of two.
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
