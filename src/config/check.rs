//! The checks that each class must pass, by itself and beside the class below it.
//!
//! For a `static` they run at compile time. Nothing here allocates or prints.

use super::error::{ConfigError, Problem, check, reject};
use super::{ClassConfig, Config};
use crate::slots::class::{CLASSES, Class, SLOT_STEP};

impl Config {
    /// Checks each class by itself and against the class below it.
    pub(super) const fn check(&self) -> Result<(), ConfigError> {
        let mut i = 0;
        while i < CLASSES {
            check!(self.check_class(Class::ALL[i]));
            i += 1;
        }
        Ok(())
    }

    const fn check_class(&self, class: Class) -> Result<(), ConfigError> {
        let ClassConfig { slot_bytes, slots, .. } = self.classes[class as usize];
        let (held, min_bytes) = self.classes[class as usize].held_back();
        if slot_bytes == 0 || !slot_bytes.is_multiple_of(SLOT_STEP) {
            return reject(Problem::SlotBytes { class, slot_bytes });
        }
        if class as usize > 0 && slot_bytes <= self.classes[class as usize - 1].slot_bytes {
            let below = Class::ALL[class as usize - 1];
            let below_bytes = self.slot_bytes(below);
            return reject(Problem::Order { class, slot_bytes, below, below_bytes });
        }
        if slots == 0 {
            return reject(Problem::NoSlots { class });
        }
        if slots > Self::MAX_SLOTS {
            return reject(Problem::TooManySlots { class, slots });
        }
        if held > slots {
            return reject(Problem::HoldsBackMore { class, held, slots });
        }
        if held > 0 && min_bytes > slot_bytes {
            return reject(Problem::HoldsBackForNoLayout { class, min_bytes, slot_bytes });
        }
        Ok(())
    }
}
