//! `--soak`: the server as fast as it can, for a long time, while clients join and leave.
//!
//! The soak goes in rounds of a minute. A round begins with all clients and ends when all have left. In
//! between, clients join and leave at random. Whenever no client is present, all counters must satisfy their
//! [equations](books), and as many slots must be in use as before the first client. In the end, resident
//! memory must not be more than after the first minute, and every free slot must be available.

mod audit;
mod books;
mod crowd;
mod memory;
mod watch;

use std::fs::File;
use std::io;
use std::time::Duration;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::meter::Requests;
use crate::server::{self, Clip, Outcome, Pace, Settings};
use crate::spread::grouped;
use crate::{print, source};

use audit::Auditor;
use memory::Growth;
use watch::Watch;

/// A number of seconds longer than any soak. A client leaves when the host lets it leave.
const FOREVER: u32 = 10 * 86_400;

/// Runs the soak for `total`, prints a line every ten seconds, and returns the last line.
///
/// # Errors
///
/// Memory grew, a slot or block was lost, or a counter was wrong. Or the clip cannot be read, or the system
/// denies a thread.
pub(crate) fn run(cli: &Cli, total: Duration, file: Option<&File>) -> Result<String, Failure> {
    print(&format!("Soak of {} s, up to {} clients, seed {}\n", total.as_secs(), cli.clients, cli.seed))?;
    let opening = Requests::now();
    let pool = cli.table.pick();
    if cli.prewarm {
        print(&format!("{}\n", pool.prewarm()))?;
    }
    let clip = match file {
        Some(file) => source::read(file, &cli.source())?,
        None => Clip::generated(cli.size.0, cli.size.1),
    };
    let settings = Settings { pace: Pace::Unpaced { seconds: FOREVER }, ..cli.settings() };
    let mut auditor = Auditor::new(pool, opening);
    let mut watch = Watch::new(total, cli.clients, cli.seed);
    let no_thread = |error: io::Error| Failure::broken(format!("cannot start a thread: {error}"));
    let (outcome, hosted) =
        server::open(&settings, &clip, &|_| {}, |guests| watch.host(guests, &mut auditor))
            .map_err(no_thread)?;
    hosted?;
    check_frames(&outcome)?;
    let memory = check_memory(watch.growth())?;
    auditor.settled(None).and_then(|books| books.check_use()).map_err(Failure::broken)?;
    auditor.take_all().map_err(Failure::broken)?;
    let (joined, frames) = (grouped(watch.joined(), ','), grouped(outcome.delivered, ','));
    Ok(format!("{joined} clients joined and left, {frames} frames were delivered; {memory}\n"))
}

fn check_frames(outcome: &Outcome) -> Result<(), Failure> {
    let &Outcome { captured, delivered, dropped, damaged, .. } = outcome;
    if damaged == 0 && delivered > 0 && captured == delivered + dropped {
        return Ok(());
    }
    let text =
        format!("{captured} frames captured, {delivered} delivered, {dropped} dropped, {damaged} damaged");
    Err(Failure::broken(text))
}

/// Returns a line about the growth, or an error if it is too much.
fn check_memory(growth: Option<Growth>) -> Result<String, Failure> {
    let Some(growth) = growth else { return Ok("resident memory is not known here".to_owned()) };
    let text = growth.to_string();
    if growth.is_too_much() { Err(Failure::broken(text)) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use super::*;

    /// The variable that is set in the process that soaks.
    const ALONE: &str = "VIDEO_CHAT_SOAKS_ALONE";

    /// Soaks for 3 seconds in a process of its own, because other tests would change its counters. `test` is
    /// the caller, and `table` is the process's `FRAMEPOOL`.
    fn soak_alone(test: &str, table: &str) {
        if env::var_os(ALONE).is_none() {
            let mut command = Command::new(env::current_exe().expect("this program"));
            command.args(["--exact", &format!("soak::tests::{test}"), "--nocapture", "--test-threads=1"]);
            let output = command.envs([(ALONE, "1"), ("FRAMEPOOL", table)]).output().expect("starts");
            let [text, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
            let is_clean = output.status.success() && text.contains(" clients joined and left");
            assert!(is_clean, "{}\n{text}\n{errors}", output.status);
            return;
        }
        let flags = ["video_chat", "--soak", "0.05", "--clients", "3", "--size", "320x180"];
        let cli = Cli::read(flags.map(Into::into)).expect("flags");
        let last =
            cli.soak.ok_or_else(|| Failure::broken("no soak")).and_then(|total| run(&cli, total, None));
        print(&last.unwrap_or_else(|failure| panic!("{failure}"))).expect("a reader");
    }

    #[test]
    fn a_few_seconds_find_nothing() {
        soak_alone("a_few_seconds_find_nothing", "");
    }

    #[test]
    fn a_few_seconds_with_too_few_slots_find_nothing() {
        // With so few slots there are misses and bypasses, and reclaims.
        let table = "small=1024x64,medium=65536x6,large=262144x4";
        soak_alone("a_few_seconds_with_too_few_slots_find_nothing", table);
    }

    #[test]
    fn frames_that_are_unaccounted_for_or_damaged_are_told() {
        let outcome = |captured, damaged| Outcome {
            captured,
            delivered: 7,
            dropped: 2,
            damaged,
            mixed: (0, 0),
            packets: Vec::new(),
            ready_ns: hdrhistogram::Histogram::new(3).expect("a histogram"),
            elapsed: Duration::ZERO,
        };
        assert!(check_frames(&outcome(9, 0)).is_ok());
        for wrong in [outcome(10, 0), outcome(10, 1)] {
            check_frames(&wrong).expect_err("wrong");
        }
    }
}
