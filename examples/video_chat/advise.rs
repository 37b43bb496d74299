//! `--advise`: one run that records all requests, and then `--rounds` runs with the table that the recording
//! advises.
//!
//! A table has to suffice at the busiest moment. The recorded run therefore goes as fast as it can, and begins with
//! all queues full. Otherwise the scheduler would decide how full they ever were: a run with the table in which the
//! mixer has to wait for a processor would have more at once.

use std::fmt::Write;
use std::fs::File;

use crate::cli::{Cli, Mode};
use crate::failure::Failure;
use crate::figures::{ClassFigures, Figures, MIB};
use crate::parent::{self, Progress};

/// The report of a recording, and the misses with its table.
pub(crate) struct Advised {
    pub(crate) report: String,
    /// The misses of the runs with the advised table.
    pub(crate) misses: u64,
}

/// Records a run, and tries the table that the recording advises.
///
/// # Errors
///
/// A run fails, or the recording gives no table.
pub(crate) fn advise(cli: &Cli, clip: &str, file: Option<&File>) -> Result<Advised, Failure> {
    let progress = Progress::new(cli, 1);
    let recorded = parent::figures(cli, Mode::Record, file, Some("record"), &progress)?;
    let advice = recorded.pools.advice.ok_or_else(|| Failure::broken("the run was not recorded"))?;
    let table = advice.table.ok_or_else(|| Failure::broken(advice.text.clone()))?;
    let run = |_| parent::figures(cli, Mode::On, file, Some(&table), &progress);
    let runs = (0..cli.rounds).map(run).collect::<Result<Vec<_>, _>>()?;
    let mut report = String::new();
    let written = write_report(&mut report, cli, clip, &advice.text, &runs);
    written.map_err(|error| Failure::broken(error.to_string()))?;
    Ok(Advised { report, misses: runs.iter().map(|run| run.pools.misses).sum() })
}

fn write_report(out: &mut String, cli: &Cli, clip: &str, advice: &str, runs: &[Figures]) -> std::fmt::Result {
    writeln!(out, "Video chat of {} clients, from {}\n({clip}).\n", cli.clients, cli.source())?;
    writeln!(out, "A run of {} s, as fast as it can, recorded:\n\n{advice}\n", cli.seconds)?;
    let pace = if cli.unpaced { "as fast as it can".to_owned() } else { format!("at {} frames/s", cli.fps) };
    writeln!(out, "{} runs of {} s with that table, {pace}:\n", runs.len(), cli.seconds)?;
    writeln!(
        out,
        "  {:>8}{:>10}{:>10}{:>14}   peak of each class",
        "misses", "hits", "bypasses", "memory, MiB"
    )?;
    for run in runs {
        let pools = &run.pools;
        let sum = |value: fn(&ClassFigures) -> u64| pools.classes.iter().map(value).sum::<u64>();
        let bypasses: u64 = pools.bypasses.iter().map(|(_, count)| count).sum();
        let peaks: Vec<_> =
            pools.classes.iter().map(|class| format!("{}/{}", class.peak, class.slots)).collect();
        let memory = pools.reserved_bytes as f64 / MIB;
        let (hits, peaks) = (sum(|class| class.hits), peaks.join("  "));
        writeln!(out, "  {:>8}{hits:>10}{bypasses:>10}{memory:>14.1}   {peaks}", pools.misses)?;
    }
    Ok(())
}
