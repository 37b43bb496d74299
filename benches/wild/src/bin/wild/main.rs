//! Measures programs around other people's crates, under one allocator after the other: `bash benches/wild.sh`.
//!
//! Each run is a process of its own. Rounds are interleaved: each contestant has its turn in each round, and another
//! one is first each time. Ratios are of one round. Everything is measured twice, on a quiet machine and beside a
//! neighbour that uses the caches.

mod contestants;
#[path = "../../../../common/machine.rs"]
mod machine;
#[path = "../../../../common/marked.rs"]
mod marked;
mod measure;
mod neighbour;
mod ratios;
mod report;
mod results;
mod tables;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use contestants::CONTESTANTS;
use framepool_wild::PROGRAMS;
use machine::Run;
use measure::Machine;
use results::{Results, Row};

/// The choice of programs and contestants.
#[derive(Parser)]
#[command(about = "Programs around other people's crates, under one allocator after the other")]
struct Cli {
    /// Rounds, each with one run of each program under each allocator, quiet and beside a neighbour.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Only these programs.
    #[arg(long)]
    only: Vec<String>,
    /// Only these contestants, beside `system`.
    #[arg(long)]
    contestants: Vec<String>,
    /// Publishes: writes the folder benches/results/wild and the tables in benches/README.md.
    #[arg(long, conflicts_with = "results")]
    publish: bool,
    /// The folder for CSV, tables and plot.
    #[arg(long, default_value = "target/wild")]
    results: PathBuf,
    /// Makes the report of an earlier run's CSV again.
    #[arg(long)]
    render: bool,
    /// Plays the neighbour.
    #[arg(long, hide = true)]
    neighbour: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.neighbour {
        neighbour::play();
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wild: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    let folder = if cli.publish { Path::new("benches/results/wild") } else { &cli.results };
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    if !cli.render {
        measure_all(cli, folder)?.save(folder)?;
    }
    let results = Results::load(folder)?;
    let report = report::render(&results);
    print!("{report}");
    if cli.publish {
        marked::update(Path::new("benches/README.md"), "wild", &report)?;
    }
    report::draw(&results, folder)
}

fn measure_all(cli: &Cli, folder: &Path) -> Result<Results, String> {
    // The machine is read before the first run, so that it does not include changes that the runs make.
    let flags = env::args().skip(1).map(|flag| format!(" {flag}")).collect::<String>();
    let about = Run::here(format!("bash benches/wild.sh{flags}"), cli.rounds as u32);
    let is_wanted =
        |names: &[String], name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let programs: Vec<_> = PROGRAMS.iter().filter(|program| is_wanted(&cli.only, program.name)).collect();
    let contestants: Vec<_> = CONTESTANTS
        .iter()
        .filter(|contestant| contestant.name == "system" || is_wanted(&cli.contestants, contestant.name))
        .collect();
    let machine = Machine::here(env::current_exe().map_err(|error| error.to_string())?)?;
    let tables = tables::find(&machine, &programs, folder)?;
    let mut results = Results::new(about, &tables);
    for (condition, is_busy) in [("quiet", false), ("busy", true)] {
        let _neighbour = is_busy.then(|| neighbour::start(&machine)).transpose()?;
        for round in 0..cli.rounds {
            for program in &programs {
                eprintln!("{condition}, round {} of {}: {}", round + 1, cli.rounds, program.name);
                for turn in 0..contestants.len() {
                    let contestant = contestants[(round + turn) % contestants.len()];
                    let run = machine.run(program, contestant, tables.of(program))?;
                    results.add(Row::new(program, contestant, condition, round, run))?;
                }
            }
        }
    }
    Ok(results)
}
