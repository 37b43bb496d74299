//! Measures framepool beside other allocators: `cargo run --profile peers -p framepool-peers`.
//!
//! The program takes each sample in a process of its own, round by round. It keeps all figures as CSV, and
//! makes tables, plots and verdicts from those. `benches/README.md` explains what is measured and how to read
//! it.

#[path = "../../common/at_once.rs"]
mod at_once;
#[path = "../../baselines/mod.rs"]
mod baselines;
mod child;
mod cli;
mod clock;
mod contestants;
mod drive;
#[path = "../../../examples/common/failure.rs"]
mod failure;
#[path = "../../common/marked.rs"]
mod marked;
mod outcome;
mod processors;
mod quartiles;
mod report;
mod results;
#[path = "../../common/run_info.rs"]
mod run_info;
mod source;
mod verdicts;
mod workloads;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use child::Sample;
use cli::Cli;
use failure::Failure;
use results::Results;
use run_info::RunInfo;

fn main() -> ExitCode {
    match Cli::read(env::args_os()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("framepool-peers: {failure}");
            ExitCode::from(failure.status)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    if let Some(sample) = &cli.sample {
        let outcome = Sample::parse(sample)?.measure();
        println!("{}", serde_json::to_string(&outcome).expect("plain data"));
        return Ok(());
    }
    let published = repository().join("benches/results");
    let default = if cli.is_full() { published.clone() } else { repository().join("target/peers") };
    let directory = cli.results.clone().unwrap_or(default);
    if !cli.render {
        if cfg!(debug_assertions) {
            return Err(Failure::bad_input("figures of a debug build say nothing: add --release"));
        }
        measure(&cli)?.save(&directory)?;
    }
    let results = Results::load(&directory)?;
    report::plots::draw(&results, &directory)?;
    let report = report::render(&results);
    if directory == published {
        marked::update(&repository().join("benches/README.md"), "peers", &report).map_err(Failure::broken)?;
    }
    print!("{report}");
    eprintln!("CSV and plots are in {}", directory.display());
    Ok(())
}

fn measure(cli: &Cli) -> Result<Results, Failure> {
    // The machine is read before the first sample, so that it does not include changes that the run itself
    // makes.
    let run = RunInfo::here(command(), cli.rounds());
    let (rows, curves) = drive::measure(cli)?;
    Ok(Results { run, rows, curves })
}

/// Returns the command that the user typed, as far as cargo passes it on.
fn command() -> String {
    let flags: Vec<_> = env::args().skip(1).collect();
    let all = if flags.is_empty() { String::new() } else { format!(" -- {}", flags.join(" ")) };
    format!("cargo run --profile peers -p framepool-peers{all}")
}

/// Returns the top of the checkout that this program was built from.
fn repository() -> PathBuf {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR"));
    peers.ancestors().nth(2).unwrap_or(peers).to_owned()
}
