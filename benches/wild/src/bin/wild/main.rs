//! Measures programs around other people's crates, under one allocator after the other: `bash benches/wild.sh`.
//!
//! Each run is a process of its own. Rounds are interleaved: each contestant has its turn in each round, in an order that
//! is drawn anew each time. Ratios are of one round. Each round is measured twice, on a quiet machine and beside a
//! neighbour that uses the caches.

mod binaries;
mod contestants;
#[path = "../../../../common/marked.rs"]
mod marked;
mod neighbour;
mod ratios;
mod report;
mod results;
#[path = "../../../../common/run_info.rs"]
mod run_info;
mod tables;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use binaries::Binaries;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use contestants::CONTESTANTS;
use framepool_wild::PROGRAMS;
use neighbour::Neighbour;
use results::{Results, Row};
use run_info::RunInfo;
use tables::Tables;

/// Where the results are published, and the pages that show them.
const PUBLISHED: &str = "benches/results/wild";
const BENCHES_PAGE: &str = "benches/README.md";
const FRONT_PAGE: &str = "README.md";

/// Fewer rounds are not published.
const MIN_ROUNDS: u64 = 15;

/// The choice of programs and contestants.
#[derive(Parser)]
#[command(about = "Programs around other people's crates, under one allocator after the other")]
struct Cli {
    /// Rounds, each with one run of each program under each allocator, quiet and beside a neighbour.
    #[arg(long, default_value_t = MIN_ROUNDS, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Only these programs.
    #[arg(long, value_parser = PossibleValuesParser::new(PROGRAMS.iter().map(|program| program.name)))]
    only: Vec<String>,
    /// Only these contestants, beside `system`.
    #[arg(long, value_parser = PossibleValuesParser::new(CONTESTANTS.iter().map(|contestant| contestant.name)))]
    contestants: Vec<String>,
    /// Publishes the results of all programs and contestants: copies them to benches/results/wild, and writes the tables
    /// into benches/README.md and README.md.
    #[arg(long)]
    publish: bool,
    /// The folder for CSV, tables and plot.
    #[arg(long, default_value = "target/wild")]
    results: PathBuf,
    /// Measures the chosen programs anew, and puts them in the place of those in the results.
    #[arg(long, requires = "only", conflicts_with_all = ["contestants", "render"])]
    again: bool,
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
    let is_part = !cli.contestants.is_empty() || !cli.only.is_empty() && !cli.again;
    if cli.publish && (is_part || cli.rounds < MIN_ROUNDS) {
        return Err(format!("only all programs and contestants, in {MIN_ROUNDS} rounds, are published"));
    }
    if !cli.render {
        measure_all(cli)?;
    }
    let results = Results::load(&cli.results)?;
    let report = report::render(&results);
    print!("{}", report.text);
    report::draw(&results, &cli.results)?;
    if cli.publish {
        publish(&cli.results)?;
        marked::update(Path::new(BENCHES_PAGE), "wild", &report.text)?;
        marked::update(Path::new(FRONT_PAGE), "calls", &report::calls(&results))?;
    }
    if report.losses.is_empty() {
        Ok(())
    } else {
        Err(format!("slower than `System` with the default table: {}", report.losses.join(", ")))
    }
}

/// Measures all that is chosen, and saves it after each round.
fn measure_all(cli: &Cli) -> Result<(), String> {
    let folder = &cli.results;
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // The machine is read before the first run, so that it does not include changes that the runs make.
    let flags = env::args().skip(1).map(|flag| format!(" {flag}")).collect::<String>();
    let about = RunInfo::here(format!("bash benches/wild.sh{flags}"), cli.rounds as u32);
    let is_wanted =
        |names: &[String], name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let programs: Vec<_> = PROGRAMS.iter().filter(|program| is_wanted(&cli.only, program.name)).collect();
    let contestants = CONTESTANTS
        .iter()
        .filter(|contestant| contestant.name == "system" || is_wanted(&cli.contestants, contestant.name));
    let mut contestants: Vec<_> = contestants.collect();
    let binaries = Binaries::beside_this()?;
    let tables = Tables::find(&binaries, &programs, folder)?;
    let mut results = if cli.again { Results::load(folder)? } else { Results::new(about.clone()) };
    programs.iter().for_each(|program| results.begin(program, &tables, &about));
    let mut random = fastrand::Rng::with_seed(0);
    for round in 0..cli.rounds as usize {
        for condition in if round % 2 == 0 { ["quiet", "busy"] } else { ["busy", "quiet"] } {
            let mut neighbour = (condition == "busy").then(|| Neighbour::start(&binaries)).transpose()?;
            for program in &programs {
                eprintln!("round {} of {}, {condition}: {}", round + 1, cli.rounds, program.name);
                random.shuffle(&mut contestants);
                for contestant in &contestants {
                    let environment = contestant.environment(tables.of(program, contestant));
                    let usage = binaries.run(program, contestant.binary, environment)?;
                    results.add(Row::new(program, contestant, condition, round, &usage)?)?;
                }
            }
            if let Some(neighbour) = &mut neighbour {
                neighbour.check()?;
            }
        }
        results.save(folder)?;
    }
    Ok(())
}

/// Copies a folder of results to where they are published.
fn publish(folder: &Path) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    if folder.canonicalize().ok() == Path::new(PUBLISHED).canonicalize().ok() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.is_file() {
            let copy = Path::new(PUBLISHED).join(path.file_name().unwrap_or_default());
            fs::copy(&path, &copy).map_err(|error| failed(&copy, error))?;
        }
    }
    Ok(())
}
