//! The environment variable `FRAMEPOOL`: its words, and the files that they name.
//!
//! The variable is read while the pools are reserved, within the program's first allocation. So nothing here
//! allocates, panics or goes through `core::fmt`. The variable is followed as a whole or not at all.

use core::ffi::CStr;

use crate::config::Config;
use crate::config::table_text::{Expected, Problem, Wrong, set_class, set_table, split, words};
use crate::os::{self, Errno};
use crate::text::Text;

/// The settings of the variable that are no part of a [`Config`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Settings {
    /// Whether the pools start switched on; `None` if the variable does not say.
    pub(crate) is_on: Option<bool>,
    /// The output for the statistics when the program exits; `None` if they are not asked for.
    pub(crate) exit_output: Option<os::ExitOutput>,
}

/// Changes `config` as the variable says, and returns the variable's other settings.
///
/// Returns `None` if the variable is not set or is wrong. A wrong value is reported on standard error and
/// leaves `config` unusable.
#[cold]
#[inline(never)]
pub(crate) fn read(config: &mut Config, source: os::Source<'_>) -> Option<Settings> {
    let value = os::variable()?;
    let mapping = os::map_zeroed(size_of::<Scratch>(), source)?;
    // SAFETY: a new mapping of that size, page-aligned, and nothing else points to it. Zeros are valid bytes.
    let scratch = unsafe { mapping.base().cast::<Scratch>().as_mut() };
    let settings = settings(value, config, scratch);
    // SAFETY: mapped above from the same source. The scratch is not used any more.
    unsafe { os::unmap(mapping, source) };
    settings
}

// Each step is a function of its own that is not inlined, so that the steps do not add up their needs of stack.

#[cold]
#[inline(never)]
fn settings(value: &[u8], config: &mut Config, scratch: &mut Scratch) -> Option<Settings> {
    let Scratch { path, text } = scratch;
    let mut text = Some(text);
    let parsed = parse(value, config, |file| {
        let text = text.take().ok_or(Problem::SecondFile)?;
        let len = os::read_file(c_path(file, path)?, text).map_err(Problem::System)?;
        if len == text.len() { Err(Problem::TooLong) } else { Ok(&text[..len]) }
    });
    match parsed.and_then(|parsed| follow(&parsed, config, path)) {
        Ok(settings) => Some(settings),
        Err(wrong) => {
            tell(&wrong);
            None
        }
    }
}

/// Checks what was parsed and opens the output.
#[cold]
#[inline(never)]
fn follow<'a>(
    parsed: &Parsed<'a>,
    config: &Config,
    path: &mut [u8; PATH_BYTES],
) -> Result<Settings, Wrong<'a>> {
    check(parsed, config)?;
    let exit_output = match parsed.output {
        Output::None => None,
        Output::StandardError => os::ExitOutput::standard_error(),
        Output::File(file) => Some(open(file, path).map_err(|problem| Wrong { file: Some(file), problem })?),
    };
    Ok(Settings { is_on: parsed.is_on, exit_output })
}

#[cold]
#[inline(never)]
fn tell(wrong: &Wrong<'_>) {
    let mut text = Text::new();
    wrong.tell(text.str("FRAMEPOOL is ignored: "));
    os::write_to_stderr(text.str("\n").as_bytes());
}

fn open<'a>(file: &'a [u8], path: &mut [u8; PATH_BYTES]) -> Result<os::ExitOutput, Problem<'a>> {
    os::ExitOutput::file(c_path(file, path)?).map_err(Problem::System)
}

/// The maximum bytes of a path, its end included, as Linux has it.
const PATH_BYTES: usize = 4096;
/// The maximum bytes of a file with a table.
const FILE_BYTES: usize = 4096;

/// The memory that reading files needs, which would be too much for a small stack.
struct Scratch {
    path: [u8; PATH_BYTES],
    /// One byte more than a file may have.
    text: [u8; FILE_BYTES + 1],
}

/// Writes a path with its end to `buffer`; `%p` becomes the number of this process.
fn c_path<'a>(file: &[u8], buffer: &'a mut [u8; PATH_BYTES]) -> Result<&'a CStr, Problem<'static>> {
    if file.is_empty() {
        return Err(Problem::NoFile);
    }
    let mut len = 0;
    let mut push = |bytes: &[u8]| {
        let place = buffer.get_mut(len..len + bytes.len()).ok_or(Problem::TooLong)?;
        place.copy_from_slice(bytes);
        len += bytes.len();
        Ok(())
    };
    let mut rest = file;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if let (b'%', Some((b'p', behind))) = (byte, behind.split_first()) {
            rest = behind;
            let process = os::this_process();
            let digits = process.checked_ilog10().unwrap_or(0);
            (0..=digits)
                .rev()
                .try_for_each(|place| push(&[b'0' + (process / 10_u64.pow(place) % 10) as u8]))?;
        } else {
            push(&[byte])?;
        }
    }
    push(&[0])?;
    CStr::from_bytes_with_nul(&buffer[..len]).map_err(|_| Problem::System(Errno::UNSUPPORTED))
}

/// The place that the statistics go to when the program exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output<'a> {
    None,
    StandardError,
    File(&'a [u8]),
}

/// The settings that the words of the variable make, apart from the configuration.
struct Parsed<'a> {
    is_on: Option<bool>,
    output: Output<'a>,
    table_file: Option<&'a [u8]>,
    /// Whether the variable has classes of its own.
    has_classes: bool,
}

/// Parses the value and changes `config` in place, because this may run on a small stack. `read` returns the text
/// of a file, once.
#[inline(never)]
fn parse<'a>(
    value: &'a [u8],
    config: &mut Config,
    mut read: impl FnMut(&'a [u8]) -> Result<&'a [u8], Problem<'a>>,
) -> Result<Parsed<'a>, Wrong<'a>> {
    let mut parsed = Parsed { is_on: None, output: Output::None, table_file: None, has_classes: false };
    for word in words(value) {
        if let Some(file) = file_of(word, "to") {
            parsed.output = Output::File(file);
        } else if let Some(file) = file_of(word, "table") {
            let outcome = read(file).and_then(|text| set_table(text, config));
            outcome.map_err(|problem| Wrong { file: Some(file), problem })?;
            parsed.table_file = Some(file);
        } else if !set_switch(word, config, &mut parsed) {
            set_class(word, Expected::Word, config).map_err(Problem::Word)?;
            parsed.has_classes = true;
        }
    }
    Ok(parsed)
}

/// Checks whether the table makes sense, and stays.
#[inline(never)]
fn check<'a>(parsed: &Parsed<'a>, config: &Config) -> Result<(), Wrong<'a>> {
    let file = parsed.table_file;
    // Without a recording there is no table to take the place of the one in the file.
    if !config.record && file.is_some_and(|file| parsed.output == Output::File(file)) {
        return Err(Wrong { file, problem: Problem::OwnTable });
    }
    let file = file.filter(|_| !parsed.has_classes);
    config.validate().map_err(|error| Wrong { file, problem: Problem::Table(error) })
}

/// Returns the file of a word such as `to=FILE`.
fn file_of<'a>(word: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (before, file) = split(word, b'=')?;
    before.eq_ignore_ascii_case(name.as_bytes()).then_some(file.trim_ascii())
}

/// Sets what a word without a value says, and returns whether there is such a word.
fn set_switch(word: &[u8], config: &mut Config, parsed: &mut Parsed<'_>) -> bool {
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if is("on") || is("off") {
        parsed.is_on = Some(is("on"));
    } else if is("huge") {
        config.memory.huge_pages = true;
    } else if is("prefault") {
        config.memory.prefault = true;
    } else if is("lock") {
        config.memory.lock_memory = true;
    } else if is("stats") || is("record") {
        config.record |= is("record");
        if parsed.output == Output::None {
            parsed.output = Output::StandardError;
        }
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::Plan;
    use crate::slots::class::Class;

    /// Parses with a file that has this text.
    fn parse_with<'a>(value: &'a str, file: &'a str, config: &mut Config) -> Result<Parsed<'a>, Wrong<'a>> {
        let parsed = parse(value.as_bytes(), config, |_| Ok(file.as_bytes()))?;
        check(&parsed, config)?;
        Ok(parsed)
    }

    fn told_of(value: &str, file: &str) -> String {
        match parse_with(value, file, &mut Config::new()) {
            Ok(_) => "right".to_owned(),
            Err(wrong) => {
                let mut text = Text::new();
                wrong.tell(&mut text);
                text.as_str().to_owned()
            }
        }
    }

    fn told(value: &str) -> String {
        told_of(value, "")
    }

    fn table(value: &str) -> [(usize, usize, usize, usize, usize); 4] {
        let mut config = Config::new();
        assert_eq!(told(value), "right");
        assert!(parse_with(value, "", &mut config).is_ok());
        Plan::new(&config).classes.map(|class| {
            let (bytes, slots) = (class.slab.slot_bytes, class.slab.slots);
            (bytes, slots, class.floor, class.held, class.held_back_from)
        })
    }

    #[test]
    fn a_class_is_changed_in_what_is_said_and_nothing_else() {
        let before = table("");
        assert_eq!(before[0], (1_024, 1_024, 0, 512, 256));
        let after = table("xlarge=3110400x48,medium=65536x128");
        assert_eq!(after, [before[0], (65_536, 128, 0, 64, 16_384), before[2], (3_110_400, 48, 0, 0, 0)]);
        let after = table("off,Small=2048x8:floor=257:hold=0,stats,,large=262144x4:hold=3@100000,");
        assert_eq!(after[0], (2_048, 8, 257, 0, 0));
        assert_eq!(after[2], (262_144, 4, 0, 3, 100_000));
    }

    #[test]
    fn words_set_what_they_name() {
        let settings = |value| {
            let mut config = Config::new();
            let Parsed { is_on, output, .. } = parse_with(value, "", &mut config).ok().unwrap();
            (is_on, output, config.record)
        };
        let file = Output::File(b"a b.txt");
        assert_eq!(settings(""), (None, Output::None, false));
        assert_eq!(settings("off"), (Some(false), Output::None, false));
        assert_eq!(settings("off,on"), (Some(true), Output::None, false));
        assert_eq!(settings("stats,off"), (Some(false), Output::StandardError, false));
        assert_eq!(settings("record"), (None, Output::StandardError, true));
        assert_eq!(settings(" Off, STATS ,\trecord"), (Some(false), Output::StandardError, true));
        assert_eq!(settings("to=a b.txt"), (None, file, false));
        assert_eq!(settings("To=a b.txt,record"), (None, file, true));
        assert_eq!(settings("stats, to=a b.txt"), (None, file, false));
        let mut config = Config::new();
        assert!(parse_with("huge,Prefault,lock", "", &mut config).is_ok());
        assert_eq!(config, Config::new().huge_pages(true).prefault(true).lock_memory(true));
    }

    #[test]
    fn a_file_has_one_table_and_comments() {
        let mut config = Config::new();
        let text = "# advice\r\n\n  xlarge=3112960x14:hold=0 , Small=2048x8\r\n# end";
        assert!(parse_with("table=any,medium=65536x9", text, &mut config).is_ok());
        let expected = Config::new().class(Class::XLarge, 3_112_960, 14).class(Class::Small, 2_048, 8);
        assert_eq!(config, expected.class(Class::Medium, 65_536, 9).hold_back(Class::XLarge, 0, 0));
        for (file, text) in [
            ("# only", "any: there is no table in it"),
            ("small=64x1\nsmall=64x1", "any: there is more than one table in it"),
            ("stats", "any: unknown word 'stats'; known are classes such as xlarge=3112960x12"),
            (
                "xlarge=64x1",
                "any: XLarge slots of 64 bytes: slot sizes ascend from class to class; make them larger \
              than Large's 262144",
            ),
        ] {
            assert_eq!(told_of("table=any", file), format!("framepool: {text}"));
        }
    }

    #[test]
    fn a_path_ends_with_a_zero_and_may_have_the_process_in_it() {
        let path = |file: &str| {
            let mut buffer = [7; PATH_BYTES];
            c_path(file.as_bytes(), &mut buffer).ok().map(|path| path.to_str().unwrap().to_owned())
        };
        let process = std::process::id();
        assert_eq!(path("a%p.b%%p%"), Some(format!("a{process}.b%{process}%")));
        let longest = "x".repeat(PATH_BYTES - 1);
        assert_eq!(path(&longest).as_ref(), Some(&longest));
        assert_eq!(path(&(longest + "x")), None);
    }

    #[test]
    fn anything_wrong_is_told() {
        for (value, text) in [
            ("yes", "unknown word 'yes'"),
            ("stats;off", "unknown word 'stats;off'"),
            ("huge=1x2", "unknown word 'huge=1x2'"),
            ("small=", "unknown word 'small='"),
            ("small=64", "unknown word 'small=64'"),
            ("small=64x8:ceiling=5", "unknown word 'ceiling=5'"),
            ("small=64x8:floor=5@6", "'5@6' is not a number, or too large"),
            ("small=64x8:hold=5", "unknown word 'hold=5'"),
            ("small=64x", "'' is not a number, or too large"),
            ("small=64x-1", "'-1' is not a number, or too large"),
            ("small=64x99999999999999999999", "'99999999999999999999' is not a number, or too large"),
            ("caf\u{e9}\x01", "unknown word 'caf???'"),
            (
                "medium=65537x8",
                "Medium slots of 65537 bytes: a slot size is a multiple of 64 bytes; the next one is 65600",
            ),
            (
                "large=64x8",
                "Large slots of 64 bytes: slot sizes ascend from class to class; make them larger than Medium's 65536",
            ),
            ("small=64x8:hold=9@1", "Small holds back 9 slots: it has 8; hold back at most that"),
        ] {
            let told = told(value);
            assert!(told.starts_with(&format!("framepool: {text}")), "{told}");
        }
        let words = "on, off, stats, record, to=FILE, table=FILE, huge, prefault, lock, and classes such as \
                     xlarge=3112960x12";
        let long = "x".repeat(10_000);
        let expected = format!("framepool: unknown word '{}...'; known are {words}", &long[..80]);
        assert_eq!(told(&long), expected);
        let parts = "floor=BYTES, hold=SLOTS@BYTES and magazine=SLOTS";
        assert_eq!(told("small=64x8:floor"), format!("framepool: unknown word 'floor'; known are {parts}"));
    }
}
