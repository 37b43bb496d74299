//! Takes all samples, round by round. Each round visits every workload, size and contestant once, so outside
//! load on the machine affects all alike.
//!
//! Contestants follow one another within a workload and size, one sample apart: 14 ms in a full run, or a
//! multiple of it. The contestant that goes first changes from round to round. Ratios are taken within a
//! round.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

use crate::child::Sample;
use crate::cli::Cli;
use crate::contestants::{self, CONTESTANTS, Contestant};
use crate::failure::Failure;
use crate::outcome::{CRASHES, Outcome, owner_and_name};
use crate::results::{Curve, Row};
use crate::workloads::{self, WORKLOADS, Workload, frame_ready};

/// Latencies of all rounds, by workload, size and contestant.
type Latencies = BTreeMap<(&'static str, usize, &'static str), Histogram<u64>>;

/// One workload of one size, and the contestants that take part.
struct Cell {
    workload: &'static Workload,
    bytes: usize,
    contestants: Vec<&'static Contestant>,
}

/// Measures everything that the flags select.
///
/// # Errors
///
/// A sample failed, or snmalloc was built with its checks.
pub(crate) fn measure(cli: &Cli) -> Result<(Vec<Row>, Vec<Curve>), Failure> {
    check_snmalloc(cli)?;
    let cells = cells(cli);
    let (mut rows, mut latencies) = (Vec::new(), Latencies::new());
    let samples: usize = cells.iter().map(|cell| cell.contestants.len()).sum();
    let bar = ProgressBar::new(samples as u64 * u64::from(cli.rounds())).with_style(
        ProgressStyle::with_template("{wide_bar} {pos}/{len} samples, {eta} left").expect("a constant"),
    );
    for round in 1..=cli.rounds() {
        for Cell { workload, bytes, contestants } in &cells {
            let first = round as usize % contestants.len();
            for &contestant in contestants[first..].iter().chain(&contestants[..first]) {
                let sample = Sample { workload, bytes: *bytes, contestant, time: cli.sample_time() };
                record(round, sample, take_until_it_works(sample)?, &mut rows, &mut latencies);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok((rows, curves(&latencies)))
}

/// Returns the cells to measure. No cell is empty, because framepool is in all of them.
fn cells(cli: &Cli) -> Vec<Cell> {
    let cell = |workload: &'static Workload, bytes| {
        let takes_part = |who: &&Contestant| cli.invites(who) && workload.admits(who, bytes);
        Cell { workload, bytes, contestants: CONTESTANTS.iter().filter(takes_part).collect() }
    };
    WORKLOADS
        .iter()
        .filter(|workload| cli.selects(workload))
        .flat_map(|workload| workload.sizes.iter().map(move |&bytes| cell(workload, bytes)))
        .collect()
}

/// Takes a sample. If its process crashes, counts the crash and takes the sample again.
fn take_until_it_works(sample: Sample) -> Result<Outcome, Failure> {
    /// The maximum of crashes in a row. A contestant that crashes each time is not measured.
    const MAX_CRASHES: u32 = 9;

    for crashes in 0..=MAX_CRASHES {
        if let Some(mut outcome) = sample.take()? {
            if crashes > 0 {
                outcome.figures.push((CRASHES.to_owned(), f64::from(crashes)));
            }
            return Ok(outcome);
        }
    }
    let (workload, contestant) = (sample.workload.name, sample.contestant.name);
    Err(Failure::broken(format!(
        "{contestant} crashes whenever it runs {workload} of {} bytes",
        sample.bytes
    )))
}

fn record(round: u32, sample: Sample, outcome: Outcome, rows: &mut Vec<Row>, latencies: &mut Latencies) {
    let Sample { workload: Workload { name: workload, .. }, bytes, contestant, .. } = sample;
    rows.extend(outcome.figures.into_iter().map(|(figure, value)| {
        let (owner, name) = owner_and_name(&figure);
        Row {
            round,
            workload: (*workload).to_owned(),
            bytes,
            contestant: owner.unwrap_or(contestant.name).to_owned(),
            figure: name.to_owned(),
            value,
        }
    }));
    for (ns, count) in outcome.latencies {
        let all = latencies.entry((workload, bytes, contestant.name)).or_insert_with(frame_ready::histogram);
        all.saturating_record_n(ns, count);
    }
}

/// Returns the points of each curve: dense enough to draw, up to the last percentile that the number of
/// frames supports.
fn curves(latencies: &Latencies) -> Vec<Curve> {
    /// The number of points for each nine: from 50 % in steps to 90 %, 99 %, ...
    const POINTS: u32 = 8;

    let mut curves = Vec::new();
    for (&(workload, bytes, contestant), all) in latencies {
        let nines = (all.len() as f64).log10();
        let exponents = (0..).map(|point| f64::from(point) / f64::from(POINTS)).take_while(|&at| at <= nines);
        let percentiles = exponents.map(|at| 100.0 * (1.0 - 10_f64.powf(-at))).chain([100.0]);
        curves.extend(percentiles.map(|percentile| Curve {
            workload: workload.to_owned(),
            bytes,
            contestant: contestant.to_owned(),
            percentile,
            ns: frame_ready::at(all, percentile),
        }));
    }
    curves
}

/// Checks that snmalloc was built without its checks. Its build keeps them in a profile with debug
/// information, or without NDEBUG. A pair of this size then takes a hundred times as long.
fn check_snmalloc(cli: &Cli) -> Result<(), Failure> {
    const LONGEST_NS: f64 = 10_000.0;

    let (workload, contestant) =
        workloads::named("pairs").zip(contestants::named("snmalloc")).expect("both exist");
    if !cli.invites(contestant) {
        return Ok(());
    }
    let bytes = workloads::CLASS_SIZES[3];
    let outcome = take_until_it_works(Sample { workload, bytes, contestant, time: cli.sample_time() })?;
    match outcome.figures.first() {
        Some((_, ns)) if *ns < LONGEST_NS => Ok(()),
        _ => Err(Failure::broken(
            "snmalloc was built with its checks: build at the repository's root, where .cargo/config.toml defines NDEBUG, \
             in release and without debug information",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn cells_of(flags: &str) -> Vec<Cell> {
        let arguments = ["framepool-peers"].into_iter().chain(flags.split_whitespace()).map(OsString::from);
        cells(&Cli::read(arguments).expect("flags"))
    }

    #[test]
    fn framepool_is_in_every_cell_and_names_are_told_apart() {
        let cells = cells_of("");
        assert!(cells.iter().all(|cell| cell.contestants.iter().any(|who| who.name == "framepool")));
        let mut names: Vec<_> = cells.iter().map(|cell| (cell.workload.name, cell.bytes)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), cells.len());
    }

    #[test]
    fn a_curve_ends_at_its_slowest_frame_and_says_no_more_than_it_knows() {
        let mut latencies = Latencies::new();
        let mut thousand = frame_ready::histogram();
        (1..=1000).for_each(|ns| thousand.saturating_record(ns));
        latencies.insert(("frame_ready", 1, "glibc"), thousand);
        let curve = curves(&latencies);
        let at = |percentile: f64| curve.iter().find(|point| (point.percentile - percentile).abs() < 1e-9);
        assert_eq!(at(90.0).map(|point| point.ns), Some(900.0));
        assert_eq!(at(100.0).map(|point| point.ns), Some(1000.0));
        assert!(at(99.9).is_some() && at(99.99).is_none());
    }
}
