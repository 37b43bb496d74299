//! Compares two dhat profiles of the same work: with the system's allocator, and with the pools.
//!
//! ```text
//! cargo run --release --example dhat_diff -- SYSTEM.json POOL.json [--html page.html]
//! ```
//!
//! Next to a profile `x.json` it looks for `x.pools.json`, what the pools did in that run, as `dhat_video_chat` writes it.
//! With it, it tells whether anything slipped by. `profile.rs` reads profiles, `site.rs` says which stacks are the same, `diff.rs`
//! compares; `report.rs` and `page.rs` show.

mod cli;
mod diff;
#[path = "../video_chat/failure.rs"]
mod failure;
mod page;
mod pools;
mod profile;
mod report;
mod site;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use cli::Cli;
use diff::{Diff, Run};
use failure::Failure;
use pools::Pools;
use profile::Profile;

fn main() -> ExitCode {
    match Cli::read(env::args_os()).and_then(|cli| run(&cli)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "dhat_diff: {failure}");
            ExitCode::from(failure.status)
        }
    }
}

/// Whether everything that was demanded holds.
fn run(cli: &Cli) -> Result<bool, Failure> {
    let off = Run { profile: Profile::read(&cli.system)?, pools: pools_beside(&cli.system)? };
    let on = Run { profile: Profile::read(&cli.pool)?, pools: pools_beside(&cli.pool)? };
    let commands = [off.profile.command.clone(), on.profile.command.clone()];
    let diff = Diff::of(off, on);
    let demands = cli.demands(&diff);
    if let Some(path) = &cli.html {
        let page = page::render(&diff, &commands, cli.top);
        fs::write(path, page)
            .map_err(|error| Failure::broken(format!("cannot write {}: {error}", path.display())))?;
    }
    let text = if cli.json {
        let json = serde_json::to_string_pretty(&diff).map_err(|error| Failure::broken(error.to_string()))?;
        json + "\n"
    } else {
        report::render(&diff, &demands, cli.top)
    };
    match io::stdout().write_all(text.as_bytes()) {
        // A reader that has seen enough is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::broken(format!("cannot print: {error}")))
        }
        _ => Ok(demands.iter().all(|demand| demand.holds)),
    }
}

/// What the pools did in the run of a profile, if somebody kept it.
fn pools_beside(profile: &Path) -> Result<Option<Pools>, Failure> {
    let path = profile.with_extension("pools.json");
    let refused = |text: String| Failure::bad_input(format!("{}: {text}", path.display()));
    match fs::read(&path) {
        Ok(text) => Pools::read(&text).map(Some).map_err(refused),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(error.to_string())),
    }
}
