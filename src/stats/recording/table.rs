//! The table that a program was recorded with, in plain numbers: another process may read them.

use crate::config::Config;
use crate::layout::{layout_of, mix_all};
use crate::slots::class::{CLASSES, Class};

/// The table of a recorded program, as far as advice looks at it.
#[repr(C)]
pub(super) struct Table {
    classes: [Row; CLASSES],
    /// Not 0 if huge pages were requested.
    huge_pages: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Row {
    slot_bytes: usize,
    slots: usize,
    floor: usize,
    held_back: usize,
    held_back_from: usize,
}

impl Table {
    pub(super) const LAYOUT: u64 = mix_all(&[
        layout_of!(Table { classes, huge_pages }),
        layout_of!(Row { slot_bytes, slots, floor, held_back, held_back_from }),
    ]);

    pub(super) fn of(config: &Config) -> Self {
        let row = |class: Class| {
            let (held_back, held_back_from) = config.classes[class as usize].held_back();
            Row {
                slot_bytes: config.slot_bytes(class),
                slots: config.slots(class),
                floor: config.classes[class as usize].floor,
                held_back,
                held_back_from,
            }
        };
        Self { classes: Class::ALL.map(row), huge_pages: config.memory.huge_pages.into() }
    }

    /// Returns the table as a configuration. What advice does not look at is as in [`Config::new`].
    pub(super) fn config(&self) -> Config {
        let config = Config::new().huge_pages(self.huge_pages != 0);
        Class::ALL.into_iter().zip(&self.classes).fold(config, |config, (class, row)| {
            config.class(class, row.slot_bytes, row.slots).floor(class, row.floor).hold_back(
                class,
                row.held_back,
                row.held_back_from,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_advice_looks_at_comes_back_as_it_was() {
        let config = Config::new().class(Class::Large, 300_032, 7).floor(Class::Small, 9).huge_pages(true);
        let back = Table::of(&config).config();
        assert_eq!(back.memory.huge_pages, config.memory.huge_pages);
        for class in Class::ALL {
            let [old, new] = [&config, &back].map(|config| {
                let class = &config.classes[class as usize];
                (class.slot_bytes, class.floor, class.held_back())
            });
            assert_eq!((old, config.slots(class)), (new, back.slots(class)));
        }
    }
}
