//! The four size classes.

/// One of the four size classes, smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Class {
    /// Slots of 1 KiB by default: audio packets.
    Small,
    /// Slots of 64 KiB by default: small frames.
    Medium,
    /// Slots of 256 KiB by default: larger frames.
    Large,
    /// Slots of 2 MiB by default: HD frames.
    XLarge,
}

/// The number of size classes.
pub(crate) const CLASSES: usize = Class::ALL.len();

impl Class {
    /// The four classes, smallest first.
    pub const ALL: [Class; 4] = [Class::Small, Class::Medium, Class::Large, Class::XLarge];

    /// Returns the class's name as the statistics and the abort texts print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Small => "Small",
            Class::Medium => "Medium",
            Class::Large => "Large",
            Class::XLarge => "XLarge",
        }
    }
}

impl core::fmt::Display for Class {
    /// Writes the name and pads it as a string: `{:<6}` aligns the four names.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl core::str::FromStr for Class {
    type Err = ParseClassError;

    /// Parses a class's name, in any case of letters.
    fn from_str(text: &str) -> Result<Self, ParseClassError> {
        let class = Class::ALL.into_iter().find(|class| class.name().eq_ignore_ascii_case(text));
        class.ok_or(ParseClassError(()))
    }
}

/// The reason why a text is no class: it is not one of the four names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseClassError(());

impl core::fmt::Display for ParseClassError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not a class: one of small, medium, large, xlarge")
    }
}

impl core::error::Error for ParseClassError {}

/// The step of slot sizes, which are multiples of it: a cache line on most machines. Every slot has at least
/// this alignment.
pub(crate) const SLOT_STEP: usize = 64;

#[cfg(all(test, not(framepool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_its_name_in_any_case() {
        assert_eq!("xlarge".parse(), Ok(Class::XLarge));
        assert_eq!(Class::ALL.map(|class| class.to_string().parse()), Class::ALL.map(Ok));
        let error = "huge".parse::<Class>().unwrap_err();
        assert_eq!(error.to_string(), "not a class: one of small, medium, large, xlarge");
    }
}
