//! A table as text, such as `medium=65536x128:floor=2048,xlarge=3112960x12`: its grammar, and the texts for what
//! is wrong.
//!
//! The environment may bring a table while the pools are being reserved, within the program's first allocation.
//! So the parser neither allocates nor panics, and does not go through `core::fmt`.

use core::fmt;
use core::str::FromStr;

use super::{Config, ConfigError, HoldBack};
use crate::slots::class::Class;
use crate::text::Text;

/// The reason why a text is no table.
pub(super) enum Wrong<'a> {
    Word(&'a [u8]),
    /// Text in the place of a number: empty, not digits, or too large a number.
    Number(&'a [u8]),
    Table(ConfigError),
}

impl Wrong<'_> {
    pub(super) fn tell(&self, text: &mut Text) {
        match self {
            Self::Word(word) => _ = text.str("it does not know '").printable(word).str("'"),
            Self::Number(number) => _ = text.str("'").printable(number).str("' is no number that fits"),
            Self::Table(error) => error.tell(text),
        }
    }
}

/// Returns the words of a text that are not blank, without the blanks around them.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

/// Parses one class: `medium=65536x128`, and after colons `floor=2048`, `hold=32@16384`, `magazine=0`.
#[inline(never)]
pub(super) fn set_class<'a>(word: &'a [u8], config: &mut Config) -> Result<(), Wrong<'a>> {
    let unknown = Wrong::Word;
    let (name, table) = split(word, b'=').ok_or(unknown(word))?;
    let class = Class::ALL.into_iter().find(|class| name.eq_ignore_ascii_case(class.name().as_bytes()));
    let class = class.ok_or(unknown(word))?;
    let mut parts = table.split(|&byte| byte == b':');
    let slots = parts.next().unwrap_or_default();
    let (slot_bytes, slots) = split(slots, b'x').ok_or(unknown(word))?;
    let class = &mut config.classes[class as usize];
    (class.slot_bytes, class.slots) = (number(slot_bytes)?, number(slots)?);
    for part in parts {
        let (what, value) = split(part, b'=').ok_or(unknown(part))?;
        match (what, split(value, b'@')) {
            (b"floor", None) => class.floor = number(value)?,
            (b"magazine", None) => class.magazine = Some(number(value)?),
            (b"hold", Some((slots, min_bytes))) => {
                class.hold_back = HoldBack::Slots { slots: number(slots)?, min_bytes: number(min_bytes)? };
            }
            (b"hold", None) if value == b"0" => class.hold_back = HoldBack::NONE,
            _ => return Err(unknown(part)),
        }
    }
    Ok(())
}

/// Splits `text` at the first byte `at`: returns the part before it and the part after it.
fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|&byte| byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

fn number(digits: &[u8]) -> Result<usize, Wrong<'_>> {
    let wrong = || Wrong::Number(digits);
    let add = |number: usize, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    };
    if digits.is_empty() { Err(wrong()) } else { digits.iter().try_fold(0, add).ok_or_else(wrong) }
}

/// Parses a table such as `small=1024x512:floor=257,xlarge=3112960x12`. What it does not name is as in
/// [`Config::new`].
///
/// The classes are written as in [`FRAMEPOOL`](Config::env), whose other words are errors here.
impl FromStr for Config {
    type Err = ParseConfigError;

    fn from_str(text: &str) -> Result<Self, ParseConfigError> {
        let mut config = Config::new();
        words(text.as_bytes())
            .try_for_each(|word| set_class(word, &mut config))
            .and_then(|()| config.validate().map_err(Wrong::Table))
            .map_err(|wrong| {
                let mut text = Text::new();
                wrong.tell(&mut text);
                ParseConfigError(text)
            })?;
        Ok(config)
    }
}

/// The reason why a text is no table: a word or number in it is wrong, or the table makes no sense.
///
/// `Display` writes one line of ASCII that names the word, or says what to change.
#[derive(Clone, Copy)]
pub struct ParseConfigError(Text);

impl fmt::Display for ParseConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for ParseConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ParseConfigError").field(&self.0.as_str()).finish()
    }
}

impl core::error::Error for ParseConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_parsed_and_nothing_else() {
        let table = "xlarge=3112960x12, Small=2048x8:floor=257:hold=0".parse::<Config>().unwrap();
        let expected = Config::new().class(Class::XLarge, 3_112_960, 12).class(Class::Small, 2_048, 8);
        assert_eq!(table, expected.floor(Class::Small, 257).hold_back(Class::Small, 0, 0));
        assert_eq!("".parse::<Config>().unwrap(), Config::new());
        for (text, error) in [
            ("stats", "framepool: it does not know 'stats'"),
            ("xlarge=3112960x", "framepool: '' is no number that fits"),
            (
                "xlarge=64x1",
                "framepool: XLarge slots of 64 bytes: slot sizes ascend from class to class; make them \
              larger than Large's 262144",
            ),
        ] {
            assert_eq!(text.parse::<Config>().unwrap_err().to_string(), error);
        }
    }
}
