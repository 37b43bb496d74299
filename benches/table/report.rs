//! The report: the README's table, all figures behind it, and the verdicts.

use std::fmt::Write;

use crate::common::contestants::CONTESTANTS;
use crate::common::workloads::WORKLOADS;
use crate::measure::SIZES;
use crate::samples::{Samples, Spread, Work};

/// The rows of ascii-chat's table: the operation, the size in bytes, and the claimed speed-up over its
/// system allocator.
const CLAIMS: [(&str, usize, &str); 6] = [
    ("alloc", 64 << 10, "20 x"),
    ("alloc", 256 << 10, "60 x"),
    ("free", 64 << 10, "12.6 x"),
    ("free", 256 << 10, "38.8 x"),
    ("pair", 64 << 10, ""),
    ("pair", 256 << 10, ""),
];

/// The ways in which the table measures each operation.
const WAYS: [&str; 3] = ["warm", "burst16/untouched", "burst16/written"];

/// The comparisons: a contestant, its process, a workload, and the required minimum ratio to `framepool` for
/// each size, if there is one.
const VERDICTS: [(&str, State, &str, [Option<f64>; 2]); 11] = [
    ("System", State::Pinned, "burst16/untouched/pair", [Some(20.0), Some(60.0)]),
    ("System", State::Pinned, "burst16/written/pair", [None; 2]),
    ("System", State::Adapted, "burst16/untouched/pair", [None; 2]),
    ("System", State::Adapted, "burst16/written/pair", [None; 2]),
    ("original", State::Pinned, "burst16/untouched/pair", [Some(1.0); 2]),
    ("original", State::Pinned, "burst16/written/pair", [None; 2]),
    ("original", State::Pinned, "two_threads/pair", [Some(2.0); 2]),
    ("original", State::Pinned, "two_threads/burst16", [Some(2.0); 2]),
    ("original", State::Pinned, "warm/pair", [None; 2]),
    ("per_pool_spin", State::Pinned, "two_threads/pair", [None; 2]),
    ("per_pool_spin", State::Pinned, "two_threads/burst16", [None; 2]),
];

/// The child whose figures a verdict reads.
#[derive(Clone, Copy)]
enum State {
    Pinned,
    Adapted,
}

/// Renders the whole report in Markdown.
pub(crate) fn render(pinned: &Samples, adapted: &Samples) -> String {
    let mut out = String::new();
    summary(&mut out, pinned, adapted)
        .and_then(|()| everything(&mut out, pinned, adapted))
        .and_then(|()| verdicts(&mut out, pinned, adapted))
        .expect("writing to a String never fails");
    out
}

/// Writes ascii-chat's table, with three ways of measuring for each allocator.
fn summary(out: &mut String, pinned: &Samples, adapted: &Samples) -> std::fmt::Result {
    writeln!(
        out,
        "Nanoseconds a block, medians of {} rounds; in brackets the ratio to framepool in the same process. Bursts are \
         16 held, then freed; written: each block written through once, on the allocation's clock.\n",
        pinned.rounds()
    )?;
    write!(out, "| operation | ascii-chat's claim |")?;
    for who in ["framepool", "System pinned", "System adapted"] {
        write!(out, " {who}, warm | {who}, burst | {who}, burst written |")?;
    }
    writeln!(out, "\n|---|---:|{}", "---:|".repeat(9))?;
    for (operation, bytes, claim) in CLAIMS {
        write!(
            out,
            "| {} {} KiB | {claim} |",
            if operation == "pair" { "both" } else { operation },
            bytes >> 10
        )?;
        let workloads = WAYS.map(|way| format!("{way}/{operation}"));
        for workload in &workloads {
            write!(out, " {} |", figure(pinned.median("framepool", (workload, bytes))))?;
        }
        for samples in [pinned, adapted] {
            for workload in &workloads {
                let work = (workload.as_str(), bytes);
                let ratio = samples.ratio("System", "framepool", work).median;
                write!(out, " {} ({} x) |", figure(samples.median("System", work)), figure(ratio))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes all medians.
fn everything(out: &mut String, pinned: &Samples, adapted: &Samples) -> std::fmt::Result {
    let names = CONTESTANTS.map(|(name, _)| name);
    writeln!(
        out,
        "\nEverything measured, nanoseconds a block: first the pinned process, then the adapted one.\n"
    )?;
    writeln!(out, "| workload | {} | {} |", names.join(" | "), names.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(2 * names.len()))?;
    for (workload, _) in WORKLOADS {
        for bytes in SIZES {
            write!(out, "| {workload} {} KiB |", bytes >> 10)?;
            for (samples, name) in
                [pinned, adapted].into_iter().flat_map(|samples| names.map(|name| (samples, name)))
            {
                write!(out, " {} |", figure(samples.median(name, (workload, bytes))))?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// Writes one line for each comparison. The median decides, even if the spread crosses the minimum.
fn verdicts(out: &mut String, pinned: &Samples, adapted: &Samples) -> std::fmt::Result {
    writeln!(out, "\nTime relative to framepool: median, and the middle half of the rounds.\n")?;
    for (name, state, workload, asked) in VERDICTS {
        let (samples, state) = match state {
            State::Pinned => (pinned, "pinned"),
            State::Adapted => (adapted, "adapted"),
        };
        for (bytes, asked) in SIZES.into_iter().zip(asked) {
            let work: Work = (workload, bytes);
            let Spread { median, low, high } = samples.ratio(name, "framepool", work);
            write!(out, "- {workload} {} KiB, {name} ({state}): {median:.2} x", bytes >> 10)?;
            write!(out, " ({low:.2} to {high:.2})")?;
            match asked {
                Some(least) if median >= least => writeln!(out, "; at least {least} x asked: met")?,
                Some(least) => writeln!(out, "; at least {least} x asked: NOT MET")?,
                None => writeln!(out)?,
            }
        }
    }
    Ok(())
}

/// Formats a number with one decimal below a hundred, and as a whole number with separated thousands above.
fn figure(value: f64) -> String {
    if value < 99.95 {
        return format!("{value:.1}");
    }
    let mut digits = format!("{value:.0}");
    let mut at = digits.len();
    while at > 3 {
        at -= 3;
        digits.insert(at, ',');
    }
    digits
}
