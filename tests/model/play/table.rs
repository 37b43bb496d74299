//! Tables with an edge of every kind, and with so few slots that classes run dry all the time.

use framepool::{Class, Config};

/// The configuration of a class, as the referee uses it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) slot_bytes: usize,
    pub(crate) slots: usize,
    pub(crate) floor: usize,
    /// The number of held-back slots, and the minimum size in bytes of a layout that may have them.
    pub(crate) held_back: (usize, usize),
}

#[derive(Clone, Copy)]
pub(crate) struct Table(pub(crate) [Row; 4]);

/// A table of slot sizes that are not powers of two, except Large's. Small has more than 64 slots in its open
/// lane. Two classes have a floor. The classes hold back some, none or all of their slots.
pub(crate) const ODD: Table = Table([
    Row { slot_bytes: 320, slots: 90, floor: 24, held_back: (20, 100) },
    Row { slot_bytes: 960, slots: 9, floor: 0, held_back: (4, 500) },
    Row { slot_bytes: 4_096, slots: 5, floor: 1_500, held_back: (0, 0) },
    Row { slot_bytes: 98_368, slots: 5, floor: 0, held_back: (5, 20_000) },
]);

/// A table of slot sizes that are powers of two, without a floor or a hold-back.
pub(crate) const EVEN: Table = Table([
    Row { slot_bytes: 1 << 10, slots: 64, floor: 0, held_back: (0, 0) },
    Row { slot_bytes: 4 << 10, slots: 16, floor: 0, held_back: (0, 0) },
    Row { slot_bytes: 16 << 10, slots: 8, floor: 0, held_back: (0, 0) },
    Row { slot_bytes: 64 << 10, slots: 5, floor: 0, held_back: (0, 0) },
]);

impl Table {
    pub(crate) const fn config(self) -> Config {
        let mut config = Config::new();
        let mut i = 0;
        while i < Class::ALL.len() {
            let (class, row) = (Class::ALL[i], self.0[i]);
            config = config.class(class, row.slot_bytes, row.slots).floor(class, row.floor);
            config = config.hold_back(class, row.held_back.0, row.held_back.1);
            i += 1;
        }
        config
    }

    /// Returns the smallest class that a layout fits.
    pub(crate) fn class_of(&self, size: usize, align: usize) -> Option<usize> {
        let fits = |row: &Row| size <= row.slot_bytes && align <= 1 << row.slot_bytes.trailing_zeros();
        self.0.iter().position(fits)
    }

    /// Returns the sizes at which the outcome of a request may change.
    pub(crate) fn edges(&self) -> [usize; 16] {
        let of_row = |row: &Row| [row.slot_bytes, row.slot_bytes / 4, row.floor, row.held_back.1];
        let [a, b, c, d] = self.0.each_ref().map(of_row);
        core::array::from_fn(|i| [a, b, c, d][i / 4][i % 4])
    }
}

impl Row {
    pub(crate) fn may_have_every_slot(&self, size: usize) -> bool {
        self.held_back.0 == 0 || size >= self.held_back.1
    }

    /// Returns the index of the first held-back slot.
    pub(crate) fn held_back_from(&self) -> usize {
        self.slots - self.held_back.0
    }
}
