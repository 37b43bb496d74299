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

mod cli;
mod command;
mod look;
mod report;
mod screen;
mod target;
mod top;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use cli::{Cli, Task};

/// The exit status of a failure: bad arguments, or a process that cannot be read.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            error.exit()
        }
        Err(error) => {
            let _ = error.print();
            return FAILED.into();
        }
    };
    let outcome = match (&cli.task, cli.task.target().pid) {
        (Task::Stats(_), Some(pid)) => report::stats(pid).and_then(|text| print(&text)),
        (Task::Advise(_), Some(pid)) => report::table(pid).and_then(|text| print(&text)),
        (Task::Top(_), Some(pid)) => top::of_process(pid),
        (task, None) => command::run(task),
    };
    match outcome {
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

/// Writes a text to standard output.
fn print(text: &str) -> Result<ExitCode, Failure> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // As other tools do whose reader has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(format!("cannot write to standard output: {error}").into()),
    }
}
