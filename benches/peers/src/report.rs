//! The report in Markdown: a description of the run, the verdicts, and a table for each workload.

mod dots;
mod lines;
mod page;
pub(crate) mod plots;
mod style;

use std::fmt::{self, Write};

use crate::contestants::CONTESTANTS;
use crate::outcome::{CRASHES, DISTURBED, NOTES, POOLED};
use crate::quartiles::figure;
use crate::results::{Figures, Key, Results};
use crate::run_info::RunInfo;
use crate::verdicts;
use crate::workloads::{WORKLOADS, Workload, size_in_words};

/// Renders the whole report. Headings are of the fourth level.
pub(crate) fn render(results: &Results) -> String {
    let figures = Figures::of(&results.rows);
    let mut out = String::new();
    head(&mut out, &results.run)
        .and_then(|()| judged(&mut out, &figures))
        .and_then(|()| WORKLOADS.iter().try_for_each(|workload| table(&mut out, workload, results, &figures)))
        .expect("writing to a String never fails");
    out
}

fn head(out: &mut String, run: &RunInfo) -> fmt::Result {
    let RunInfo { command, commit, rounds, processor, cores, kernel, glibc, huge_pages, rustc, c_compiler } =
        run;
    writeln!(
        out,
        "`{command}` at commit {commit}: medians of {rounds} rounds, and in brackets the middle half of them. \
         {cores} cores of an {processor}, Linux {kernel}, glibc {glibc}, huge pages: {huge_pages}; {rustc}, {c_compiler}."
    )
}

fn judged(out: &mut String, figures: &Figures<'_>) -> fmt::Result {
    writeln!(out, "\n#### Verdicts\n")?;
    verdicts::all(figures).iter().try_for_each(|verdict| writeln!(out, "- {verdict}"))
}

/// Writes one table if each size has one figure, else one table for each size.
fn table(out: &mut String, workload: &Workload, results: &Results, figures: &Figures<'_>) -> fmt::Result {
    let names = figure_names(results, workload);
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n#### {}\n\n{}", workload.name, workload.about)?;
    let key = |bytes, figure| Key { workload: workload.name, bytes, contestant: "", figure };
    if names == ["ns"] {
        let columns: Vec<_> =
            workload.sizes.iter().map(|&bytes| (size_in_words(bytes), key(bytes, "ns"))).collect();
        grid(out, "", &columns, figures)?;
    } else {
        for &bytes in workload.sizes {
            let columns: Vec<_> = names
                .iter()
                .map(|&name| (name.trim_end_matches("_ns").to_owned(), key(bytes, name)))
                .collect();
            grid(out, &size_in_words(bytes), &columns, figures)?;
        }
    }
    for &bytes in workload.sizes {
        unpooled(out, key(bytes, POOLED), figures)?;
    }
    disturbed(out, workload, results)?;
    crashed(out, workload, results)?;
    if plots::has_plot(workload) {
        writeln!(out, "\n![{0}](results/{0}.svg)", workload.name)?;
    }
    Ok(())
}

/// Writes a table with a line for each contestant and a column for each key.
fn grid(out: &mut String, corner: &str, columns: &[(String, Key<'_>)], figures: &Figures<'_>) -> fmt::Result {
    let titles: Vec<_> = columns.iter().map(|(title, _)| title.as_str()).collect();
    writeln!(out, "\n| {corner} | {} |\n|---|{}", titles.join(" | "), "---:|".repeat(columns.len()))?;
    for contestant in CONTESTANTS {
        let cells: Vec<_> = columns
            .iter()
            .map(|&(_, key)| figures.quartiles(Key { contestant: contestant.name, ..key }))
            .collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        write!(out, "| {} |", contestant.name)?;
        for quartiles in cells {
            write!(out, " {} |", quartiles.map_or_else(String::new, |quartiles| quartiles.to_string()))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Names the contestants whose pools did not serve all their requests. Their figure is partly `System`'s.
fn unpooled(out: &mut String, key: Key<'_>, figures: &Figures<'_>) -> fmt::Result {
    for contestant in CONTESTANTS {
        let share = figures.quartiles(Key { contestant: contestant.name, ..key });
        if let Some(share) = share.filter(|share| share.median < 99.9) {
            let (percent, size) = (figure(share.median), size_in_words(key.bytes));
            writeln!(out, "\n{size}: {percent} % of {}'s requests found a slot.", contestant.name)?;
        }
    }
    Ok(())
}

/// Reports how many samples of several threads had a thread that lost its processor on every try.
fn disturbed(out: &mut String, workload: &Workload, results: &Results) -> fmt::Result {
    let runs = || results.rows.iter().filter(|row| row.workload == workload.name && row.figure == DISTURBED);
    let disturbed = runs().filter(|row| row.value > 0.0).count();
    if disturbed > 0 {
        let all = runs().count();
        writeln!(out, "\nIn {disturbed} of {all} samples, a thread lost its processor on every try.")?;
    }
    Ok(())
}

/// Names the contestants whose processes crashed, and how often.
fn crashed(out: &mut String, workload: &Workload, results: &Results) -> fmt::Result {
    for contestant in CONTESTANTS {
        let rows = results.rows.iter().filter(|row| row.workload == workload.name && row.figure == CRASHES);
        let crashes: f64 = rows.filter(|row| row.contestant == contestant.name).map(|row| row.value).sum();
        if crashes > 0.0 {
            writeln!(out, "\n{} crashed {crashes} times; its samples were taken again.", contestant.name)?;
        }
    }
    Ok(())
}

/// Returns the names of the workload's figures, in the order of their first appearance.
fn figure_names<'a>(results: &'a Results, workload: &Workload) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for row in results.rows.iter().filter(|row| row.workload == workload.name) {
        if !NOTES.contains(&row.figure.as_str()) && !names.contains(&row.figure.as_str()) {
            names.push(&row.figure);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Row;
    use crate::results::tests::{results, row};

    #[test]
    fn a_table_has_a_line_for_each_contestant_and_says_what_the_pools_did_not_serve() {
        let share = Row { figure: POOLED.to_owned(), ..row(1, "bursts_64", 200_000, "framepool", 50.0) };
        let rows = vec![
            row(1, "bursts_64", 1_000, "framepool", 6.0),
            row(1, "bursts_64", 200_000, "framepool", 60.0),
            share,
            row(1, "bursts_64", 1_000, "glibc", 7.0),
        ];
        let report = render(&results(rows));
        for line in [
            "|  | 1,000 B | 40,000 B | 200,000 B | 1,382,400 B |",
            "| framepool | 6.00 |  | 60.0 |  |",
            "| glibc | 7.00 |  |  |  |",
            "200,000 B: 50.0 % of framepool's requests found a slot.",
        ] {
            assert!(report.lines().any(|found| found == line), "{line}\n{report}");
        }
        assert!(!report.contains("#### pairs"));
    }
}
