//! The flags, and their ranges. An error of clap becomes a message of one line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum, value_parser};

use crate::failure::Failure;
use crate::server::{Pace, Settings, WhenFull};
use crate::source::MAX_SIDE;
use crate::tables::Table;

/// The columns and rows of the grid if it is not shown.
const CANVAS: (usize, usize) = (120, 36);

/// A multi-party video chat server, run with the pools off, with glibc tuned, and with the pools on.
#[derive(Clone, Debug, Parser)]
#[command(name = "video_chat", bin_name = "video_chat", max_term_width = 100)]
pub(crate) struct Cli {
    /// Clients, each with a camera and a microphone
    #[arg(long, default_value_t = 9, value_parser = value_parser!(u32).range(1..=64))]
    pub(crate) clients: u32,
    /// Frames a second of each client
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=240))]
    pub(crate) fps: u32,
    /// Seconds of each run
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Size of the generated picture
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = size, conflicts_with = "clip")]
    pub(crate) size: (usize, usize),
    /// Rounds of three runs each
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(3..=99))]
    pub(crate) rounds: u32,
    /// Play this Y4M file in a loop; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) clip: Option<PathBuf>,
    /// Convert to RGB at full size, then scale (default: scale, then convert)
    #[arg(long)]
    pub(crate) full_rgb: bool,
    /// Encode with ANSI colours
    #[arg(long)]
    pub(crate) ansi: bool,
    /// Run as fast as it can instead of at --fps; frames may drop
    #[arg(long)]
    pub(crate) unpaced: bool,
    /// First show the grid live in the terminal, in a run that is not measured
    #[arg(long, conflicts_with = "json")]
    pub(crate) show: bool,
    /// Print the figures for machines
    #[arg(long)]
    pub(crate) json: bool,
    /// Table of the pools: XLarge 2 MiB x 64, 3,110,400 x 48 or 12,441,600 x 24
    #[arg(long, value_enum, default_value_t = Table::Default)]
    pub(crate) table: Table,
    /// Make the pools' memory resident before each run with the pools on
    #[arg(long)]
    pub(crate) prewarm: bool,
    /// Record one unpaced run, print the table that would have served it, and try that in --rounds runs
    #[arg(long, conflicts_with_all = ["show", "json"])]
    pub(crate) advise: bool,
    /// Run for this long, as fast as it can, while clients join and leave; fail if anything grows or is lost
    #[arg(
        long,
        value_name = "MINUTES",
        value_parser = minutes,
        conflicts_with_all = ["show", "json", "advise", "seconds", "rounds"]
    )]
    pub(crate) soak: Option<Duration>,
    /// Seed of a --soak: decides which clients join and leave, and when
    #[arg(long, requires = "soak", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Internal: the program starts itself with this for one run
    #[arg(long, hide = true)]
    pub(crate) child: Option<Mode>,
}

/// The purpose of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The pools are switched off.
    Off,
    /// The pools are switched off, and glibc's thresholds are raised.
    Tuned,
    /// The pools are on.
    On,
    /// The pools are on, the grid is drawn, nothing is measured.
    Show,
    /// The pools are on, the run goes as fast as it can, all requests are recorded.
    Record,
}

impl Mode {
    /// The name of the mode in texts and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Tuned => "tuned",
            Mode::On => "on",
            Mode::Show => "show",
            Mode::Record => "record",
        }
    }
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// A flag is unknown or out of its range. A request for help is answered and ends the process.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => error.exit(),
            _ => Failure::bad_flag(&error),
        })
    }

    /// Returns the server's settings.
    pub(crate) fn settings(&self) -> Settings {
        let seconds = self.seconds;
        Settings {
            clients: self.clients,
            fps: self.fps,
            pace: if self.unpaced { Pace::Unpaced { seconds } } else { Pace::Paced { seconds } },
            when_full: WhenFull::DropOldest,
            full_rgb: self.full_rgb,
            ansi: self.ansi,
            canvas: CANVAS,
        }
    }

    /// Describes the source of the frames in words.
    pub(crate) fn source(&self) -> String {
        match &self.clip {
            Some(path) if path.as_os_str() == "-" => "the clip on standard input".to_owned(),
            Some(path) => path.display().to_string(),
            None => "a generated picture".to_owned(),
        }
    }
}

/// Reads `1280x720`.
fn size(text: &str) -> Result<(usize, usize), String> {
    let side = |text: &str| text.parse().ok().filter(|side| (2..=MAX_SIDE).contains(side));
    let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    sides.ok_or_else(|| format!("a size is WIDTHxHEIGHT, each 2 to {MAX_SIDE}"))
}

/// Reads `30` or `0.5`.
fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.05..=1_440.0).contains(minutes));
    let minutes: f64 = minutes.ok_or("a soak takes 0.05 to 1440 minutes")?;
    Ok(Duration::from_secs_f64(60.0 * minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &str) -> Result<Cli, Failure> {
        Cli::read(["video_chat"].into_iter().chain(flags.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn without_flags_it_is_nine_clients_at_thirty_frames_for_five_seconds() {
        let cli = read("").expect("defaults");
        assert_eq!((cli.clients, cli.fps, cli.seconds, cli.rounds, cli.size), (9, 30, 5, 3, (1280, 720)));
        assert_eq!(cli.settings().pace, Pace::Paced { seconds: 5 });
    }

    #[test]
    fn a_soak_may_take_part_of_a_minute() {
        let cli = read("--soak 0.5 --seed 7").expect("half a minute");
        assert_eq!((cli.soak, cli.seed), (Some(Duration::from_secs(30)), 7));
    }

    #[test]
    fn nonsense_is_refused_in_one_line_with_status_2() {
        let nonsense = [
            "--clients 0",
            "--clients 65",
            "--fps 0",
            "--fps -1",
            "--seconds 0",
            "--seconds 9999999999",
            "--rounds 2",
            "--size 0x0",
            "--size 1280",
            "--size 99999x2",
            "--size 4x4 --clip a.y4m",
            "--table huge",
            "--show --json",
            "--advise --json",
            "--soak",
            "--soak 0",
            "--soak -1",
            "--soak nan",
            "--soak 1441",
            "--soak 1 --seconds 5",
            "--soak 1 --advise",
            "--seed 1",
            "--soak 1 --seed x",
            "--clip",
            "--bogus",
            "extra",
        ];
        for flags in nonsense {
            let failure = read(flags).expect_err(flags);
            let text = failure.to_string();
            assert!(failure.status == 2 && !text.is_empty() && !text.contains('\n'), "{flags}: {text:?}");
        }
    }
}
