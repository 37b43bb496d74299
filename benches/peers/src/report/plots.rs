//! The choice of a plot for each workload.

use std::fs;
use std::path::Path;

use super::{dots, lines};
use crate::failure::Failure;
use crate::results::Results;
use crate::workloads::{WORKLOADS, Workload};

/// How a workload is drawn.
#[derive(Clone, Copy)]
enum Plot {
    /// A dot for each contestant, a panel for each size.
    Dots,
    /// A line for each contestant over percentiles, a panel for each size.
    Percentiles,
    /// A line for each contestant over numbers of threads, a panel for each size.
    Threads,
}

fn plot(workload: &Workload) -> Option<Plot> {
    match workload.name {
        "frame_ready" => Some(Plot::Percentiles),
        "threads_pairs" => Some(Plot::Threads),
        "threads_bursts" | "start_up" | "frame_ready_turns" | "vec_pushed" => None,
        taxed if taxed.starts_with("tax_") => None,
        _ => Some(Plot::Dots),
    }
}

/// Whether the workload has a plot that its table can show.
pub(super) fn has_plot(workload: &Workload) -> bool {
    plot(workload).is_some()
}

/// Draws a plot into `directory` for each workload that has figures and a kind of plot.
///
/// # Errors
///
/// A file could not be written.
pub(crate) fn draw(results: &Results, directory: &Path) -> Result<(), Failure> {
    let measured = |workload: &&Workload| results.rows.iter().any(|row| row.workload == workload.name);
    for workload in WORKLOADS.iter().filter(measured) {
        let Some(plot) = plot(workload) else { continue };
        let mut svg = String::new();
        match plot {
            Plot::Dots => dots::draw(results, workload, &mut svg),
            Plot::Percentiles => lines::percentiles(results, workload, &mut svg),
            Plot::Threads => lines::threads(results, workload, &mut svg),
        }
        .map_err(|error| Failure::broken(format!("{}: {error}", workload.name)))?;
        let path = directory.join(format!("{}.svg", workload.name));
        fs::write(&path, svg).map_err(|error| Failure::file(&path, error))?;
    }
    Ok(())
}
