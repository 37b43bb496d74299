//! The reasons why a table makes no sense, and the texts that say what to change.
//!
//! For a `static` all of it runs at compile time. Nothing here allocates or prints.

use core::fmt;

use super::Config;
use crate::slots::class::{Class, SLOT_STEP};
use crate::text::Text;

/// The reason why a configuration makes no sense, and what to change: see [`Config::validate`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConfigError(Problem);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    SlotBytes { class: Class, slot_bytes: usize },
    Order { class: Class, slot_bytes: usize, below: Class, below_bytes: usize },
    NoSlots { class: Class },
    TooManySlots { class: Class, slots: usize },
    HoldsBackMore { class: Class, held: usize, slots: usize },
    HoldsBackForNoLayout { class: Class, min_bytes: usize, slot_bytes: usize },
    AddressSpace,
    Granules { bytes: usize },
    SlotMap { map_bytes: usize, granule_bytes: usize },
    RecordedValue,
}

impl ConfigError {
    /// A recording of a `BufferPool`, which makes none.
    pub(crate) const fn of_recorded_value() -> Self {
        Self(Problem::RecordedValue)
    }

    /// Returns the text: one line of ASCII.
    pub(super) const fn text(&self) -> Text {
        let mut text = Text::new();
        self.tell(&mut text);
        text
    }

    /// Appends the text to `text`.
    pub(super) const fn tell(&self, text: &mut Text) {
        match self.0 {
            Problem::SlotBytes { class, slot_bytes } => {
                of_size(text, class, slot_bytes)
                    .str("a slot size is a multiple of 64 bytes; the next one is ");
                text.decimal((slot_bytes / SLOT_STEP * SLOT_STEP).saturating_add(SLOT_STEP));
            }
            Problem::Order { class, slot_bytes, below, below_bytes } => {
                of_size(text, class, slot_bytes);
                text.str("slot sizes ascend from class to class; make them larger than ");
                text.str(below.name()).str("'s ").decimal(below_bytes);
            }
            Problem::NoSlots { class } => {
                text.str(class.name()).str(" has no slots: give it at least 1");
            }
            Problem::TooManySlots { class, slots } => {
                text.str(class.name()).str(" has ").decimal(slots).str(" slots: give it at most ");
                text.decimal(Config::MAX_SLOTS);
            }
            Problem::HoldsBackMore { class, held, slots } => {
                text.str(class.name()).str(" holds back ").decimal(held).str(" slots: it has ");
                text.decimal(slots).str("; hold back at most that");
            }
            Problem::HoldsBackForNoLayout { class, min_bytes, slot_bytes } => {
                text.str(class.name()).str(" holds slots back for ").decimal(min_bytes);
                text.str(" bytes and more, which no layout of it has: make that at most ")
                    .decimal(slot_bytes);
            }
            Problem::AddressSpace | Problem::Granules { .. } | Problem::SlotMap { .. } => {
                self.tell_of_table(text)
            }
            Problem::RecordedValue => {
                text.str("a BufferPool makes no recording; look at peak and too_large of its statistics, ");
                text.str("or record the global allocator");
            }
        }
    }

    /// Appends the text of a problem that concerns all classes together.
    const fn tell_of_table(&self, text: &mut Text) {
        match self.0 {
            Problem::AddressSpace => {
                text.str("this table exceeds the address space: give its classes fewer or smaller slots");
            }
            Problem::Granules { bytes } => {
                text.str("this table has more than 2^32 granules of ").decimal(bytes);
                text.str(" bytes: give all classes slot sizes that are multiples of more");
            }
            Problem::SlotMap { map_bytes, granule_bytes } => {
                text.str("the slot map of this table takes ").decimal(map_bytes);
                text.str(" bytes, more than 1/32 of its slots: give the larger classes more slots, or all ");
                text.str("classes slot sizes that are multiples of more than ").decimal(granule_bytes);
            }
            _ => {}
        }
    }
}

const fn of_size(text: &mut Text, class: Class, slot_bytes: usize) -> &mut Text {
    text.str(class.name()).str(" slots of ").decimal(slot_bytes).str(" bytes: ")
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigError").field(&self.text().as_str()).finish()
    }
}

impl core::error::Error for ConfigError {}

/// The `?` operator for a `const fn`.
macro_rules! check {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Err(error),
        }
    };
}
pub(crate) use check;

pub(crate) const fn reject<T>(problem: Problem) -> Result<T, ConfigError> {
    Err(ConfigError(problem))
}
