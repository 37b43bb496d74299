//! Looks into running programs that use framepool.
//!
//! ```text
//! framepool stats --pid 1234                      # the statistics of a process
//! framepool stats -- ./server                     # those of a program that it starts, when that ends
//! framepool advise -- ./server >frames.table      # a table that fits it
//! framepool top --pid 1234                        # each slot, live
//! ```
//!
//! `cli.rs` has the arguments, `target.rs` finds the process, `command.rs` starts one and follows it to its end, `report.rs`
//! writes the texts. `top.rs` watches a process: `watch.rs` is the loop, `look.rs` has the figures, `screen.rs` draws them.

#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, unused_imports, reason = "elsewhere it only says that it is Linux's")
)]

#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod command;
mod look;
#[cfg(target_os = "linux")]
mod report;
mod screen;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
mod top;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

/// The exit status of a failure: bad arguments, or a process that cannot be read.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(status) => status,
        Err(failure) => {
            // If standard error is closed, the message cannot be printed anywhere.
            let _ = writeln!(io::stderr(), "framepool: {failure}");
            FAILED.into()
        }
    }
}

/// The text of a failure, one line.
type Failure = Box<dyn std::error::Error>;

#[cfg(not(target_os = "linux"))]
fn run() -> Result<ExitCode, Failure> {
    Err(framepool::inspect::Error::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn run() -> Result<ExitCode, Failure> {
    use clap::Parser;
    use clap::error::ErrorKind;

    use cli::{Cli, Task};

    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            error.exit()
        }
        Err(error) => {
            let _ = error.print();
            return Ok(FAILED.into());
        }
    };
    match (&cli.task, cli.task.target().pid) {
        (Task::Stats(_), Some(pid)) => print(&report::stats(pid)?),
        (Task::Advise(_), Some(pid)) => print(&report::table(pid)?),
        (Task::Top(_), Some(pid)) => top::of_process(pid),
        (task, None) => command::run(task),
    }
}

/// Writes a text to standard output.
fn print(text: &str) -> Result<ExitCode, Failure> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // As other tools do whose reader has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(format!("cannot write to standard output: {error}").into()),
    }
}
