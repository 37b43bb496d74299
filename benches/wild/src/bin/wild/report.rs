//! The tables and the plot.

mod calls;
mod plot;
mod standings;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use framepool_wild::PROGRAMS;

use crate::contestants::CONTESTANTS;
use crate::ratios::{Interval, median, paired};
use crate::results::{Results, Row};
use crate::run_info::RunInfo;

pub(crate) use calls::calls;

/// The default table is a loss where the interval of its ratio lies wholly above this.
const LOSS: f64 = 1.03;

/// A figure that is compared with the system's allocator.
#[derive(Clone, Copy)]
struct Figure {
    title: &'static str,
    unit: &'static str,
    of: fn(&Row) -> Option<f64>,
}

const CPU: Figure = Figure { title: "CPU time", unit: "ms", of: |row| Some(row.cpu_ms) };
const MEMORY: Figure = Figure { title: "peak memory", unit: "KiB", of: |row| Some(row.peak_kib as f64) };

impl Figure {
    /// Returns the ratio of a contestant to the system's allocator; `None` if either was not measured.
    fn ratio(self, results: &Results, program: &str, contestant: &str, condition: &str) -> Option<Interval> {
        self.ratio_to(results, program, contestant, "system", condition)
    }

    /// Returns the ratio of a contestant to another one.
    ///
    /// # Panics
    ///
    /// They were measured in different rounds, which no run does.
    fn ratio_to(
        self,
        results: &Results,
        program: &str,
        contestant: &str,
        other: &str,
        condition: &str,
    ) -> Option<Interval> {
        let series = |contestant| results.series(program, contestant, condition, self.of);
        let (values, base) = (series(contestant), series(other));
        if values.is_empty() || base.is_empty() {
            return None;
        }
        assert_eq!(values.len(), base.len(), "{program} under {contestant} and {other}, {condition}");
        Some(paired(&values, &base))
    }
}

/// The conditions, and their names in headings.
const CONDITIONS: [(&str, &str); 2] = [("quiet", "on a quiet machine"), ("busy", "beside the neighbour")];

/// All tables as Markdown, and the cells in which the default table is a loss.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) losses: Vec<String>,
}

pub(crate) fn render(results: &Results) -> Report {
    let mut text = String::new();
    // Writing to a string does not fail.
    let RunInfo { command, commit, rounds, processor, cores, kernel, glibc, huge_pages, rustc, .. } =
        &results.run;
    let _ = writeln!(
        text,
        "`{command}` at commit {commit}: medians of {rounds} rounds, and in brackets the intervals that hold them in 95 of 100 \
         resamplings. {cores} cores of an {processor}, Linux {kernel}, glibc {glibc}, huge pages: {huge_pages}; {rustc}.\n"
    );
    for (program, RunInfo { command, commit, .. }) in &results.again {
        let _ = writeln!(text, "{program} was measured again, at commit {commit}: `{command}`.\n");
    }
    for (condition, place) in CONDITIONS {
        for figure in [CPU, MEMORY] {
            let _ = writeln!(text, "**{} {place}**, as a ratio to `System`\n", figure.title);
            table(&mut text, results, figure, condition);
        }
    }
    standings::write(&mut text, results);
    pooled(&mut text, results);
    let (cells, losses) = losses(results);
    let _ = writeln!(
        text,
        "With the default table, {} of {cells} cells lie wholly above {LOSS} of `System`. {}",
        losses.len(),
        losses.join("; ")
    );
    Report { text, losses }
}

fn table(text: &mut String, results: &Results, figure: Figure, condition: &str) {
    let names: Vec<_> = CONTESTANTS[1..].iter().map(|contestant| contestant.name).collect();
    let _ = writeln!(text, "| program | `System` | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|---:|{}", "---:|".repeat(names.len()));
    for program in PROGRAMS {
        let mut base = results.series(program.name, "system", condition, figure.of);
        if base.is_empty() {
            continue;
        }
        let _ = write!(text, "| {} | {:.0} {} |", program.name, median(&mut base), figure.unit);
        for name in &names {
            let ratio = figure.ratio(results, program.name, name, condition);
            let _ = write!(text, " {} |", ratio.map(|ratio| ratio.to_string()).unwrap_or_default());
        }
        text.push('\n');
    }
    text.push('\n');
}

fn pooled(text: &mut String, results: &Results) {
    let _ = writeln!(text, "| program | crate | what it does | bytes pooled | with the advised table |");
    let _ = writeln!(text, "|---|---|---|---:|---:|");
    for program in PROGRAMS {
        let Some(pooled) = results.pooled.iter().find(|pooled| pooled.program == program.name) else {
            continue;
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} % | {:.1} % |",
            program.name, program.of, program.does, pooled.pools, pooled.advised
        );
    }
    text.push('\n');
}

/// Returns the number of cells of the default table that were measured, and those in which it is a loss.
fn losses(results: &Results) -> (usize, Vec<String>) {
    let cells =
        PROGRAMS.iter().flat_map(|program| CONDITIONS.map(|(condition, _)| (program.name, condition)));
    let (mut measured, mut lost) = (0, Vec::new());
    for (program, condition) in cells {
        let Some(ratio) = CPU.ratio(results, program, "pools", condition) else { continue };
        measured += 1;
        if ratio.low > LOSS {
            lost.push(format!("{program} {condition} {ratio}"));
        }
    }
    (measured, lost)
}

/// Draws the plot into a folder.
pub(crate) fn draw(results: &Results, folder: &Path) -> Result<(), String> {
    let path = folder.join("wild.svg");
    let svg = plot::svg(results).map_err(|error| format!("{}: {error}", path.display()))?;
    fs::write(&path, svg).map_err(|error| format!("{}: {error}", path.display()))
}
