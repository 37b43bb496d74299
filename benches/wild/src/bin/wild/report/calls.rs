//! The table that stands on the front page: one program, a media server, under the allocators that people choose from.

use std::fmt::Write;

use crate::ratios::median;
use crate::results::{Results, Row};

const PROGRAM: &str = "calls";

/// The contestants, and their names in the table.
const COLUMNS: [(&str, &str); 6] = [
    ("system", "System"),
    ("tuned", "System, tuned"),
    ("mimalloc", "mimalloc"),
    ("jemalloc", "jemalloc"),
    ("pools", "framepool"),
    ("advised", "framepool, advised"),
];

/// A line: its title, its digits, and the figure.
type Line = (&'static str, usize, fn(&Row) -> Option<f64>);

const LINES: [Line; 5] = [
    ("frame ready, p50, us", 0, |row| row.ready_p50_us),
    ("frame ready, p99.9, us", 0, |row| row.ready_p99_9_us),
    ("page faults a frame", 1, |row| Some(row.faults as f64 / row.frames? as f64)),
    ("peak memory, MiB", 1, |row| Some(row.peak_kib as f64 / 1024.0)),
    ("CPU time a frame, ms", 2, |row| Some(row.cpu_ms / row.frames? as f64)),
];

/// Returns the table as Markdown: medians of all rounds on a quiet machine, the least of each line in bold.
pub(crate) fn calls(results: &Results) -> String {
    let mut text = String::from("| |");
    for (_, title) in COLUMNS {
        // Writing to a string does not fail.
        let _ = write!(text, " {title} |");
    }
    text.push_str("\n|---|---:|---:|---:|---:|---:|---:|\n");
    for (title, digits, figure) in LINES {
        let values = COLUMNS.map(|(name, _)| median(&mut results.series(PROGRAM, name, "quiet", figure)));
        let shown = values.map(|value| format!("{value:.digits$}"));
        let least = values.into_iter().fold(f64::INFINITY, f64::min);
        let _ = write!(text, "| {title} |");
        for value in shown {
            let bold = if value == format!("{least:.digits$}") { "**" } else { "" };
            let _ = write!(text, " {bold}{value}{bold} |");
        }
        text.push('\n');
    }
    text
}
