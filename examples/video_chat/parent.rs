//! Starts this program again for each run, one after the other, and collects the figures.
//!
//! The modes take turns, and each round starts with a different mode. A machine that slows down or warms up
//! therefore favours none. A run that fails or hangs ends the program with one line.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, io};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Cli, Mode};
use crate::failure::Failure;
use crate::figures::Figures;
use crate::screen;

/// The variable that glibc reads at start. glibc's mmap threshold takes at most half of a thread heap, 32 MiB
/// on 64-bit machines, and ignores any value above. The trim threshold takes any value.
pub(crate) const TUNABLES: &str =
    "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824";

/// Whether the C library is a glibc that can be tuned.
const GLIBC: bool = cfg!(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"));

/// The time after its planned end at which a run is killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time between two checks whether a run is over.
const LOOK: Duration = Duration::from_millis(50);

/// The runs of one mode.
pub(crate) struct Runs {
    pub(crate) mode: Mode,
    pub(crate) figures: Vec<Figures>,
}

/// Returns the modes that are compared on this system.
pub(crate) fn modes() -> Vec<Mode> {
    if GLIBC { vec![Mode::Off, Mode::Tuned, Mode::On] } else { vec![Mode::Off, Mode::On] }
}

/// Runs every mode `--rounds` times.
///
/// # Errors
///
/// The first run that fails ends all.
pub(crate) fn run_all(cli: &Cli, clip: Option<&File>) -> Result<Vec<Runs>, Failure> {
    let mut runs: Vec<Runs> = modes().into_iter().map(|mode| Runs { mode, figures: Vec::new() }).collect();
    let progress = Progress::new(cli, runs.len());
    for round in 0..cli.rounds as usize {
        for turn in 0..runs.len() {
            let place = (round + turn) % runs.len();
            let mode = runs[place].mode;
            progress.start(round, mode);
            let tried = if mode == Mode::On { tried() } else { None };
            runs[place].figures.push(figures(cli, mode, clip, tried.as_deref(), &progress)?);
        }
    }
    Ok(runs)
}

/// Returns the setting that the user wants to try with the pools on: see [`framepool::Config::env`].
pub(crate) fn tried() -> Option<String> {
    env::var("FRAMEPOOL").ok().filter(|value| !value.is_empty())
}

/// Does one run, which reads `setting` as its `FRAMEPOOL`.
///
/// # Errors
///
/// The run failed.
pub(crate) fn figures(
    cli: &Cli,
    mode: Mode,
    clip: Option<&File>,
    setting: Option<&str>,
    progress: &Progress,
) -> Result<Figures, Failure> {
    let output = run(cli, mode, clip, setting, progress)?;
    serde_json::from_slice(&output).map_err(|error| failed(mode, &format!("cannot be read: {error}")))
}

/// Shows the grid in one run.
///
/// # Errors
///
/// The run failed.
pub(crate) fn show(cli: &Cli, clip: Option<&File>) -> Result<(), Failure> {
    let shown = run(cli, Mode::Show, clip, None, &Progress(ProgressBar::hidden()));
    if shown.is_err() {
        screen::restore();
    }
    shown.map(|_| ())
}

/// Starts one run and returns its output.
fn run(
    cli: &Cli,
    mode: Mode,
    clip: Option<&File>,
    setting: Option<&str>,
    progress: &Progress,
) -> Result<Vec<u8>, Failure> {
    let broken = |error: io::Error| failed(mode, &format!("cannot be started: {error}"));
    let mut command = Command::new(env::current_exe().map_err(broken)?);
    command.arg("--child").arg(mode.name()).args(env::args_os().skip(1));
    command.env_remove("GLIBC_TUNABLES").stdin(Stdio::null()).stdout(Stdio::piped());
    if mode == Mode::Tuned {
        command.env("GLIBC_TUNABLES", TUNABLES);
    }
    match setting {
        Some(setting) => command.env("FRAMEPOOL", setting),
        None => command.env_remove("FRAMEPOOL"),
    };
    if mode != Mode::Show {
        command.stderr(Stdio::piped());
    }
    if let Some(mut clip) = clip {
        clip.rewind().map_err(broken)?;
        command.stdin(clip.try_clone().map_err(broken)?);
    }
    let mut child = command.spawn().map_err(broken)?;
    let (output, errors) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let patience = Duration::from_secs(cli.seconds.into()) + PATIENCE;
    let status = wait(&mut child, patience, progress).map_err(broken)?;
    let text = |pipe: JoinHandle<Vec<u8>>| pipe.join().unwrap_or_default();
    match status {
        Some(status) if status.success() => Ok(text(output)),
        Some(status) => Err(failed(mode, &complaint(status, &text(errors)))),
        None => Err(failed(mode, &format!("did not end within {} s", patience.as_secs()))),
    }
}

/// Reads a pipe to its end on a thread of its own, so that a run never waits for its reader.
fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // If a pipe breaks, the exit status of its run reports the failure.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        bytes
    })
}

/// Waits until the run is over. If that takes longer than `patience`, kills the run and returns `None`.
fn wait(child: &mut Child, patience: Duration, progress: &Progress) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        progress.look();
        thread::sleep(LOOK);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn failed(mode: Mode, what: &str) -> Failure {
    Failure::broken(format!("the run \"{}\" {what}", mode.name()))
}

/// Describes in one line how a run ended and what it wrote to stderr.
fn complaint(status: ExitStatus, errors: &[u8]) -> String {
    let errors = String::from_utf8_lossy(errors);
    let lines = errors.lines().map(|line| line.trim().trim_start_matches("video_chat: "));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).take(4).collect();
    let end = match (signal_of(status), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, code) => format!("ended with exit status {}", code.unwrap_or(-1)),
    };
    if lines.is_empty() { end } else { format!("{end}: {}", lines.join("; ")) }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Returns `None`: the system has no signals.
#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

/// The progress bar on stderr. It is hidden if stderr is not a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(cli: &Cli, modes: usize) -> Self {
        if cli.json {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{bar:40} {msg}, {eta} left");
        let bar = ProgressBar::new(u64::from(cli.rounds * cli.seconds) * modes as u64 * 1_000);
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    fn start(&self, round: usize, mode: Mode) {
        self.0.set_message(format!("round {}, {}", round + 1, mode.name()));
    }

    fn look(&self) {
        self.0.inc(LOOK.as_millis() as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_failed_run_is_told_in_one_line() {
        use std::os::unix::process::ExitStatusExt;

        let aborted =
            complaint(ExitStatus::from_raw(6), b"framepool: double free: Medium slot 17 at 0x1\n\n");
        assert_eq!(aborted, "was ended by signal 6: framepool: double free: Medium slot 17 at 0x1");
        assert_eq!(
            complaint(ExitStatus::from_raw(2 << 8), b"video_chat: a\n b\n"),
            "ended with exit status 2: a; b"
        );
        assert_eq!(complaint(ExitStatus::from_raw(1 << 8), b""), "ended with exit status 1");
    }

    #[test]
    fn a_run_that_hangs_is_ended() {
        // This program's tests that match: one that waits for its standard input.
        let mut command = Command::new(env::current_exe().expect("a test"));
        command.args(["--exact", "parent::tests::a_run_that_hangs", "--ignored"]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).spawn().expect("a child");
        let ended =
            wait(&mut child, Duration::from_millis(100), &Progress(ProgressBar::hidden())).expect("waits");
        assert!(ended.is_none() && child.try_wait().expect("waits").is_some());
    }

    #[test]
    #[ignore = "waits for the one above"]
    fn a_run_that_hangs() {
        assert_eq!(io::stdin().read(&mut [0]).expect("standard input"), 0);
    }
}
