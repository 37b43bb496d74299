//! The tables and the plot.

mod plot;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use framepool_wild::PROGRAMS;

use crate::contestants::CONTESTANTS;
use crate::machine::Run;
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
        self.ratio_to(results, program, contestant, "system", condition)
    }

    /// Returns the ratio of a contestant to another one.
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
        (!values.is_empty() && values.len() == base.len()).then(|| paired(&values, &base))
    }
}

/// The conditions, and their names in headings.
const CONDITIONS: [(&str, &str); 2] = [("quiet", "on a quiet machine"), ("busy", "beside the neighbour")];

/// Returns the tables as Markdown, and then what fails.
pub(crate) fn render(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let Run { command, commit, rounds, processor, cores, kernel, glibc, huge_pages, rustc, .. } =
        &results.run;
    let _ = writeln!(
        text,
        "`{command}` at commit {commit}: medians of {rounds} rounds, and in brackets the intervals that hold them in 95 of 100 \
         resamplings. {cores} cores of an {processor}, Linux {kernel}, glibc {glibc}, huge pages: {huge_pages}; {rustc}.\n"
    );
    for (condition, place) in CONDITIONS {
        for figure in [CPU, MEMORY] {
            let _ = writeln!(text, "**{} {place}**, as a ratio to `System`\n", figure.title);
            table(&mut text, results, figure, condition);
        }
    }
    standings(&mut text, results);
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

/// The contestants that the advised table is compared with.
const RIVALS: [&str; 4] = ["tuned", "mimalloc", "jemalloc", "rpmalloc"];

/// Writes how the advised table, with huge pages or without, compares with the best of the rivals in each program.
fn standings(text: &mut String, results: &Results) {
    let _ = writeln!(text, "**CPU time with the advised table**, as a ratio to the best rival\n");
    let _ = writeln!(text, "| program | on a quiet machine | beside the neighbour |\n|---|---|---|");
    let (mut first, mut level, mut cells) = (0, 0, 0);
    for program in PROGRAMS {
        let found = CONDITIONS.map(|(condition, _)| standing(results, program.name, condition));
        if found.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(text, "| {} |", program.name);
        for standing in found {
            let Some((ours, rival, Interval { median, low, high })) = standing else {
                text.push_str(" |");
                continue;
            };
            cells += 1;
            first += usize::from(median <= 1.0);
            level += usize::from(low <= 1.0);
            let _ = write!(text, " {ours} / {rival}: {median:.2} ({low:.2}..{high:.2}) |");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "\nFirst in {first} of {cells}, first or level in {level}.\n");
}

/// Returns the better of the two advised contestants, the best rival, and the ratio of their CPU times.
fn standing<'a>(results: &Results, program: &str, condition: &str) -> Option<(&'a str, &'a str, Interval)> {
    let best = |names: &[&'a str]| {
        let medians = names
            .iter()
            .filter_map(|name| Some((*name, CPU.ratio(results, program, name, condition)?.median)));
        medians.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(name, _)| name)
    };
    let (ours, rival) = (best(&["advised", "advised_huge"])?, best(&RIVALS)?);
    Some((ours, rival, CPU.ratio_to(results, program, ours, rival, condition)?))
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
    let cells =
        PROGRAMS.iter().flat_map(|program| CONDITIONS.map(|(condition, _)| (program.name, condition)));
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
