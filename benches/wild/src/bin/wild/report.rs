//! The tables and the plot.

mod plot;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use framepool_wild::PROGRAMS;

use crate::contestants::CONTESTANTS;
use crate::ratios::{Interval, median, paired};
use crate::results::{Results, Row};

/// A cell fails if the interval of its ratio lies wholly above this.
const LOSS: f64 = 1.03;

/// A figure that is compared with the system's allocator.
#[derive(Clone, Copy)]
struct Figure {
    title: &'static str,
    of: fn(&Row) -> f64,
}

const CPU: Figure = Figure { title: "CPU time", of: |row| row.cpu_ms };
const MEMORY: Figure = Figure { title: "peak memory", of: |row| row.peak_kib as f64 };

impl Figure {
    /// Returns the ratio of a contestant to the system's allocator; `None` if it was not measured.
    fn ratio(self, results: &Results, program: &str, contestant: &str, condition: &str) -> Option<Interval> {
        let series = |contestant| results.series(program, contestant, condition, self.of);
        let (values, base) = (series(contestant), series("system"));
        (!values.is_empty() && values.len() == base.len()).then(|| paired(&values, &base))
    }
}

/// Returns the tables as Markdown, and then what fails.
pub(crate) fn render(results: &Results) -> String {
    let mut text = String::new();
    for (condition, place) in [("quiet", "on a quiet machine"), ("busy", "beside the neighbour")] {
        for figure in [CPU, MEMORY] {
            // Writing to a string does not fail.
            let _ = writeln!(text, "**{} {place}**, as a ratio to `System`\n", figure.title);
            table(&mut text, results, figure, condition);
        }
    }
    pooled(&mut text, results);
    let losses: Vec<_> = losses(results);
    if losses.is_empty() {
        let _ = writeln!(text, "No cell of the default table lies wholly above {LOSS}.");
    } else {
        let _ = writeln!(text, "Wholly above {LOSS} with the default table: {}.", losses.join(", "));
    }
    text
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
        let unit = if figure.title == CPU.title { "ms" } else { "KiB" };
        let _ = write!(text, "| {} | {:.0} {unit} |", program.name, median(&mut base));
        for name in &names {
            match figure.ratio(results, program.name, name, condition) {
                Some(Interval { median, low, high }) => {
                    _ = write!(text, " {median:.2} ({low:.2}..{high:.2}) |")
                }
                None => text.push_str(" |"),
            }
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
            program.name, program.of, program.does, pooled.default, pooled.advised
        );
    }
    text.push('\n');
}

/// Returns the programs that the default table makes slower.
fn losses(results: &Results) -> Vec<String> {
    let cells = PROGRAMS.iter().flat_map(|program| [(program.name, "quiet"), (program.name, "busy")]);
    let lost = cells.filter_map(|(program, condition)| {
        let Interval { median, low, high } = CPU.ratio(results, program, "pools", condition)?;
        (low > LOSS).then(|| format!("{program} {condition} {median:.2} ({low:.2}..{high:.2})"))
    });
    lost.collect()
}

/// Draws the plot into a folder.
pub(crate) fn draw(results: &Results, folder: &Path) -> Result<(), String> {
    let path = folder.join("wild.svg");
    let svg = plot::svg(results).map_err(|error| format!("{}: {error}", path.display()))?;
    fs::write(&path, svg).map_err(|error| format!("{}: {error}", path.display()))
}
