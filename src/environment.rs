//! The environment variable `FRAMEPOOL`: what it may say, and what is said of it when it is wrong.
//!
//! Read while the pools are reserved, so within the program's first allocation: nothing here allocates, panics or goes through `core::fmt`.
//! All of the variable is followed, or none of it.

use crate::config::{Class, Config, ConfigError};
use crate::os;
use crate::plan::Plan;
use crate::text::Text;

/// What the program is to do instead of what it was built to.
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) plan: Plan,
    pub(crate) is_off: bool,
    /// Whether the statistics are written when the program exits.
    pub(crate) shows_stats: bool,
}

/// What the variable says, beside `config`; `None` if there is none, or if it was wrong, which this tells on standard error.
#[cold]
pub(crate) fn read(config: &Config) -> Option<Settings> {
    let value = os::variable(c"FRAMEPOOL")?;
    match parse(value, config) {
        Ok(settings) => Some(settings),
        Err(wrong) => {
            let text = wrong.tell(Text::new().str("FRAMEPOOL is ignored: ")).str("\n");
            os::write_to_stderr(text.as_bytes());
            None
        }
    }
}

/// Why a value is ignored.
enum Wrong<'a> {
    Word(&'a [u8]),
    /// What was to be a number.
    Number(&'a [u8]),
    Table(ConfigError),
}

impl Wrong<'_> {
    fn tell(&self, text: Text) -> Text {
        match self {
            Self::Word(word) => text.str("it does not know '").printable(word).str("'"),
            Self::Number(number) => text.str("'").printable(number).str("' is no number that fits"),
            Self::Table(error) => error.tell(text),
        }
    }
}

fn parse<'a>(value: &'a [u8], config: &Config) -> Result<Settings, Wrong<'a>> {
    let (mut config, mut is_off, mut shows_stats) = (*config, false, false);
    for word in value.split(|&byte| byte == b',').filter(|word| !word.is_empty()) {
        match word {
            b"off" => is_off = true,
            b"stats" => shows_stats = true,
            b"record" => (shows_stats, config) = (true, config.record(true)),
            _ => config = with_class(word, config)?,
        }
    }
    let plan = Plan::try_new(&config).map_err(Wrong::Table)?;
    Ok(Settings { config, plan, is_off, shows_stats })
}

/// `medium=65536x128`, and after colons `floor=2048`, `hold=32@16384`, `magazine=0`.
fn with_class<'a>(word: &'a [u8], config: Config) -> Result<Config, Wrong<'a>> {
    let unknown = Wrong::Word;
    let (name, table) = split(word, b'=').ok_or(unknown(word))?;
    let class = Class::ALL.into_iter().find(|class| name.eq_ignore_ascii_case(class.name().as_bytes()));
    let class = class.ok_or(unknown(word))?;
    let mut parts = table.split(|&byte| byte == b':');
    let slots = parts.next().unwrap_or_default();
    let (slot_bytes, slots) = split(slots, b'x').ok_or(unknown(word))?;
    let mut config = config.class(class, number(slot_bytes)?, number(slots)?);
    for part in parts {
        let (what, value) = split(part, b'=').ok_or(unknown(part))?;
        config = match (what, split(value, b'@')) {
            (b"floor", None) => config.floor(class, number(value)?),
            (b"magazine", None) => config.magazine(class, number(value)?),
            (b"hold", Some((slots, min_bytes))) => {
                config.hold_back(class, number(slots)?, number(min_bytes)?)
            }
            (b"hold", None) if value == b"0" => config.hold_back(class, 0, 0),
            _ => return Err(unknown(part)),
        };
    }
    Ok(config)
}

/// What is before the first such byte, and what is after it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &str) -> String {
        match parse(value.as_bytes(), &Config::new()) {
            Ok(_) => "right".to_owned(),
            Err(wrong) => wrong.tell(Text::new()).as_str().to_owned(),
        }
    }

    fn table(value: &str) -> [(usize, usize, usize, usize, usize); 4] {
        let settings = parse(value.as_bytes(), &Config::new()).unwrap_or_else(|_| panic!("{}", told(value)));
        settings.plan.classes.map(|class| {
            let (bytes, slots) = (class.slab.slot_bytes, class.slab.slots);
            (bytes, slots, class.floor, class.held, class.entitled_from)
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
    fn words_are_heard() {
        let settings = |value: &str| {
            let settings = parse(value.as_bytes(), &Config::new()).ok().unwrap();
            (settings.is_off, settings.shows_stats, settings.config.record)
        };
        assert_eq!(settings(""), (false, false, false));
        assert_eq!(settings("off"), (true, false, false));
        assert_eq!(settings("stats,off"), (true, true, false));
        assert_eq!(settings("record"), (false, true, true));
    }

    #[test]
    fn whatever_is_wrong_is_told() {
        for (value, text) in [
            ("on", "it does not know 'on'"),
            ("stats;off", "it does not know 'stats;off'"),
            ("STATS", "it does not know 'STATS'"),
            ("huge=1x2", "it does not know 'huge=1x2'"),
            ("small=", "it does not know 'small='"),
            ("small=64", "it does not know 'small=64'"),
            ("small=64x8:ceiling=5", "it does not know 'ceiling=5'"),
            ("small=64x8:floor=5@6", "it does not know 'floor=5@6'"),
            ("small=64x8:hold=5", "it does not know 'hold=5'"),
            ("small=64x", "'' is no number that fits"),
            ("small=64x-1", "'-1' is no number that fits"),
            ("small=64x99999999999999999999", "'99999999999999999999' is no number that fits"),
            ("caf\u{e9}\n", "it does not know 'caf???'"),
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
            assert_eq!(told(value), format!("framepool: {text}"));
        }
        let long = "x".repeat(10_000);
        assert_eq!(told(&long), format!("framepool: it does not know '{}...'", &long[..80]));
    }
}
