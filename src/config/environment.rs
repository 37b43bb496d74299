//! The environment variable `FRAMEPOOL`: its grammar, and the texts for wrong values.
//!
//! The variable is read while the pools are reserved, within the program's first allocation. So nothing here
//! allocates, panics or goes through `core::fmt`. The variable is followed as a whole or not at all.

use crate::config::Config;
use crate::config::table_text::{Wrong, set_class, words};
use crate::os;
use crate::text::Text;

/// The settings of the variable that are no part of a [`Config`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Words {
    pub(crate) is_off: bool,
    /// Whether the statistics are written when the program exits.
    pub(crate) shows_stats: bool,
}

/// Changes `config` as the variable says, and returns the variable's other settings.
///
/// Returns `None` if the variable is not set or is wrong. A wrong value is reported on standard error and
/// leaves `config` unusable.
#[cold]
#[inline(never)]
pub(crate) fn read(config: &mut Config) -> Option<Words> {
    let value = os::variable()?;
    parse(value, config).map_err(|wrong| tell(&wrong)).ok()
}

#[cold]
#[inline(never)]
fn tell(wrong: &Wrong<'_>) {
    let mut text = Text::new();
    wrong.tell(text.str("FRAMEPOOL is ignored: "));
    os::write_to_stderr(text.str("\n").as_bytes());
}

/// Parses the value and changes `config` in place, because this may run on a small stack.
fn parse<'a>(value: &'a [u8], config: &mut Config) -> Result<Words, Wrong<'a>> {
    let mut settings = Words::default();
    for word in words(value) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("on") {
            settings.is_off = false;
        } else if is("off") {
            settings.is_off = true;
        } else if is("stats") {
            settings.shows_stats = true;
        } else if is("record") {
            (settings.shows_stats, config.record) = (true, true);
        } else {
            set_class(word, config)?;
        }
    }
    config.validate().map_err(Wrong::Table)?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::Plan;

    fn told(value: &str) -> String {
        match parse(value.as_bytes(), &mut Config::new()) {
            Ok(_) => "right".to_owned(),
            Err(wrong) => {
                let mut text = Text::new();
                wrong.tell(&mut text);
                text.as_str().to_owned()
            }
        }
    }

    fn table(value: &str) -> [(usize, usize, usize, usize, usize); 4] {
        let mut config = Config::new();
        assert_eq!(told(value), "right");
        assert!(parse(value.as_bytes(), &mut config).is_ok());
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
    fn words_are_heard() {
        let settings = |value: &str| {
            let mut config = Config::new();
            let words = parse(value.as_bytes(), &mut config).ok().unwrap();
            (words.is_off, words.shows_stats, config.record)
        };
        assert_eq!(settings(""), (false, false, false));
        assert_eq!(settings("off"), (true, false, false));
        assert_eq!(settings("stats,off"), (true, true, false));
        assert_eq!(settings("record"), (false, true, true));
        assert_eq!(settings(" Off, STATS ,\trecord"), (true, true, true));
        assert_eq!(settings("off,on"), (false, false, false));
    }

    #[test]
    fn whatever_is_wrong_is_told() {
        for (value, text) in [
            ("yes", "it does not know 'yes'"),
            ("stats;off", "it does not know 'stats;off'"),
            ("huge=1x2", "it does not know 'huge=1x2'"),
            ("small=", "it does not know 'small='"),
            ("small=64", "it does not know 'small=64'"),
            ("small=64x8:ceiling=5", "it does not know 'ceiling=5'"),
            ("small=64x8:floor=5@6", "it does not know 'floor=5@6'"),
            ("small=64x8:hold=5", "it does not know 'hold=5'"),
            ("small=64x", "'' is no number that fits"),
            ("small=64x-1", "'-1' is no number that fits"),
            ("small=64x99999999999999999999", "'99999999999999999999' is no number that fits"),
            ("caf\u{e9}\x01", "it does not know 'caf???'"),
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
