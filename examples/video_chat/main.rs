//! Runs a multi-party video chat server with the pools off, with glibc tuned, and with the pools on.
//!
//! ```text
//! cargo run --release --example video_chat                    # a generated picture
//! cargo run --release --example video_chat -- --clip FILE.y4m # real video, in a loop
//! ```
//!
//! `server/` is the program that a user would write, with plain vectors only. `meter.rs` and `tables.rs` are
//! the allocator below it. `child.rs` is one measured run, and `parent.rs` starts all runs. `soak.rs` is a
//! long run in which clients join and leave. The other files read clips and print.

mod advise;
mod bypasses;
mod child;
mod cli;
#[path = "../common/failure.rs"]
mod failure;
mod figures;
mod identity;
mod json;
mod meter;
mod parent;
mod report;
mod screen;
mod server;
mod soak;
mod source;
mod spread;
mod tables;
mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use cli::Cli;
use failure::Failure;
use meter::Meter;
use report::Results;
use server::{Chroma, Clip};

#[global_allocator]
static METER: Meter = Meter;

fn main() -> ExitCode {
    let outcome = Cli::read(std::env::args_os()).and_then(|cli| match cli.child {
        Some(mode) => child::run(&cli, mode),
        None => run(&cli),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is closed, the message cannot be printed anywhere.
            let _ = writeln!(io::stderr(), "video_chat: {failure}");
            ExitCode::from(failure.status)
        }
    }
}

/// Checks the input, does all runs, and prints the report.
fn run(cli: &Cli) -> Result<(), Failure> {
    if cli.show {
        screen::check()?;
    }
    let file = cli.clip.as_deref().map(source::open).transpose()?;
    if let Some(total) = cli.soak {
        return soak::run(cli, total, file.as_ref()).and_then(|last| print(&last));
    }
    let clip = match &file {
        Some(file) => describe(&source::read(file, &cli.source())?),
        None => describe(&Clip::generated(cli.size.0, cli.size.1)),
    };
    if cli.show {
        parent::show(cli, file.as_ref())?;
    }
    if cli.advise {
        let advise::Advised { report, misses } = advise::advise(cli, &clip, file.as_ref())?;
        print(&report)?;
        return match misses {
            0 => Ok(()),
            _ => Err(Failure::broken(format!("{misses} misses with the advised table"))),
        };
    }
    let mut runs = parent::run_all(cli, file.as_ref())?;
    let all = || runs.iter().flat_map(|runs| &runs.figures);
    let identity = identity::compare(all().map(|figures| &figures.packets[..]));
    let damaged: u64 = all().map(|figures| figures.damaged).sum();
    // The packets have been compared, and the report does not print them.
    runs.iter_mut().flat_map(|runs| &mut runs.figures).for_each(|figures| figures.packets.clear());
    let results = Results { cli, clip, runs, identity };
    let text = if cli.json { Ok(format!("{}\n", results.json())) } else { results.report() };
    print(&text.map_err(|error| Failure::broken(error.to_string()))?)?;
    if damaged > 0 {
        return Err(Failure::broken(format!("{damaged} packets reached the mixer damaged")));
    }
    if identity.identical < identity.compared {
        return Err(Failure::broken("the runs encoded different packets of the same frames"));
    }
    Ok(())
}

/// Describes a clip in words.
fn describe(clip: &Clip) -> String {
    let chroma = match clip.format.chroma {
        Chroma::C420 => "4:2:0",
        Chroma::C422 => "4:2:2",
        Chroma::C444 => "4:4:4",
        Chroma::Mono => "grey",
    };
    let (frames, mib) = (clip.len(), (clip.len() * clip.format.frame_bytes()) as f64 / 1_048_576.0);
    format!("{} x {} {chroma}, {frames} frames of {mib:.1} MiB in all", clip.format.width, clip.format.height)
}

/// Prints to standard output. A reader that closes the pipe early is not an error.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::broken(format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}
