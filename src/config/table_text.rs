//! A table as text, such as `medium=65536x128:floor=2048,xlarge=3112960x12`: its grammar, and the texts for what
//! is wrong.
//!
//! The environment may bring a table while the pools are being reserved, within the program's first allocation.
//! So the parser neither allocates nor panics, and does not go through `core::fmt`.

use core::fmt;
use core::str::FromStr;

use super::{ClassConfig, Config, ConfigError, HoldBack};
use crate::os::Errno;
use crate::slots::class::Class;
use crate::text::Text;

/// The reason why a text is wrong, and the file that it is in, if it is in one.
pub(super) struct Wrong<'a> {
    pub(super) file: Option<&'a [u8]>,
    pub(super) problem: Problem<'a>,
}

/// The problem of a wrong text.
pub(super) enum Problem<'a> {
    Word(Misread<'a>),
    Table(ConfigError),
    /// A file without a table, or with several.
    Tables(usize),
    /// A second word that names a table.
    SecondFile,
    /// A word that names no file.
    NoFile,
    /// Statistics that would overwrite the table.
    OwnTable,
    TooLong,
    System(Errno),
}

/// A part of a text that is wrong, and what was expected in its place. It is small, because the parser may run on
/// a small stack.
pub(super) struct Misread<'a> {
    part: &'a [u8],
    expected: Expected,
}

/// The kind of word that a place expects.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// The words of the variable.
    Word,
    Class,
    /// A part of a class, after a colon.
    Part,
    Number,
}

impl Wrong<'_> {
    pub(super) fn tell(&self, text: &mut Text) {
        if let Some(file) = self.file {
            text.printable(file).str(": ");
        }
        match &self.problem {
            Problem::Word(misread) => misread.tell(text),
            Problem::Table(error) => error.tell(text),
            Problem::Tables(0) => _ = text.str("there is no table in it"),
            Problem::Tables(_) => _ = text.str("there is more than one table in it"),
            Problem::SecondFile => _ = text.str("a table from a file is named already"),
            Problem::NoFile => _ = text.str("to= and table= need the name of a file"),
            Problem::OwnTable => _ = text.str("the statistics would overwrite the table"),
            Problem::TooLong => _ = text.str("it is too long"),
            Problem::System(error) => match error.words() {
                Some(words) => _ = text.str(words),
                None => _ = text.str("error ").decimal(error.code().unsigned_abs() as usize),
            },
        }
    }
}

impl Misread<'_> {
    fn tell(&self, text: &mut Text) {
        let known = match self.expected {
            Expected::Word => {
                "on, off, stats, record, to=FILE, table=FILE, huge, prefault, lock, and classes such as \
                 xlarge=3112960x12"
            }
            Expected::Class => "classes such as xlarge=3112960x12",
            Expected::Part => "floor=BYTES, hold=SLOTS@BYTES and magazine=SLOTS",
            Expected::Number => {
                text.str("'").printable(self.part).str("' is not a number, or too large");
                return;
            }
        };
        text.str("unknown word '").printable(self.part).str("'; known are ").str(known);
    }
}

impl<'a> From<Problem<'a>> for Wrong<'a> {
    fn from(problem: Problem<'a>) -> Self {
        Self { file: None, problem }
    }
}

/// Returns the words of a text that are not blank, without the blanks around them.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

/// Parses one class: `medium=65536x128`, and after colons `floor=2048`, `hold=32@16384`, `magazine=0`.
#[inline(never)]
pub(super) fn set_class<'a>(
    word: &'a [u8],
    expected: Expected,
    config: &mut Config,
) -> Result<(), Misread<'a>> {
    let unknown = Misread { part: word, expected };
    let Some((name, table)) = split(word, b'=') else { return Err(unknown) };
    let mut classes = Class::ALL.into_iter().zip(&mut config.classes);
    let named = classes.find(|(class, _)| name.eq_ignore_ascii_case(class.name().as_bytes()));
    let Some((_, class)) = named else { return Err(unknown) };
    let mut parts = table.split(|&byte| byte == b':');
    let size = parts.next().unwrap_or_default();
    let Some((slot_bytes, slots)) = split(size, b'x').or_else(|| split(size, b'X')) else {
        return Err(unknown);
    };
    class.slot_bytes = number(slot_bytes)?;
    class.slots = number(slots)?;
    parts.try_for_each(|part| set_part(part, class))
}

/// Parses a part of a class, after a colon.
#[inline(never)]
fn set_part<'a>(part: &'a [u8], class: &mut ClassConfig) -> Result<(), Misread<'a>> {
    let unknown = Misread { part, expected: Expected::Part };
    let Some((what, value)) = split(part, b'=') else { return Err(unknown) };
    let is = |name: &str| what.eq_ignore_ascii_case(name.as_bytes());
    if is("floor") {
        class.floor = number(value)?;
    } else if is("magazine") {
        class.magazine = Some(number(value)?);
    } else if is("hold") && value == b"0" {
        class.hold_back = HoldBack::NONE;
    } else if let (true, Some((slots, min_bytes))) = (is("hold"), split(value, b'@')) {
        class.hold_back = HoldBack::Slots { slots: number(slots)?, min_bytes: number(min_bytes)? };
    } else {
        return Err(unknown);
    }
    Ok(())
}

/// Splits `text` at the first byte `at`: returns the part before it and the part after it.
pub(super) fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|&byte| byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

#[inline(never)]
fn number(digits: &[u8]) -> Result<usize, Misread<'_>> {
    let mut number = (!digits.is_empty()).then_some(0_usize);
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 10);
        number = number.and_then(|number| number.checked_mul(10)?.checked_add(digit?.into()));
    }
    number.ok_or(Misread { part: digits, expected: Expected::Number })
}

/// Reads a table out of a file's text. It is not validated.
#[inline(never)]
pub(super) fn set_table<'a>(text: &'a [u8], config: &mut Config) -> Result<(), Problem<'a>> {
    for class in words(table_line(text)?) {
        set_class(class, Expected::Class, config).map_err(Problem::Word)?;
    }
    Ok(())
}

/// Returns the line of a file's text that is the table. Lines that begin with `#` are comments.
#[inline(never)]
fn table_line(text: &[u8]) -> Result<&[u8], Problem<'_>> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let (mut tables, mut table) = (0, &[][..]);
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        if !line.is_empty() && line[0] != b'#' {
            (tables, table) = (tables + 1, line);
        }
    }
    if tables == 1 { Ok(table) } else { Err(Problem::Tables(tables)) }
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
            .try_for_each(|word| set_class(word, Expected::Class, &mut config))
            .map_err(Problem::Word)
            .and_then(|()| config.validate().map_err(Problem::Table))
            .map_err(|problem| {
                let mut text = Text::new();
                Wrong::from(problem).tell(&mut text);
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
            ("stats", "framepool: unknown word 'stats'; known are classes such as xlarge=3112960x12"),
            ("xlarge=3112960x", "framepool: '' is not a number, or too large"),
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
