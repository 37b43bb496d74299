//! Which plot a workload gets, and the page it is drawn on. No system font is opened: SVG leaves text to its viewer.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::style::FONT;
use super::{dots, lines};
use crate::failure::Failure;
use crate::results::Results;
use crate::workloads::{WORKLOADS, Workload};

/// What drawing may fail with, which on SVG is writing the file.
pub(super) type Drawn<T = ()> = Result<T, Box<dyn Error>>;

/// Where a plot is drawn, or a part of it.
pub(super) type Page<'a> = DrawingArea<SVGBackend<'a>, Shift>;

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
        "threads_bursts" | "start_up" => None,
        taxed if taxed.starts_with("tax_") => None,
        _ => Some(Plot::Dots),
    }
}

/// Whether the table may point to a plot.
pub(super) fn has_plot(workload: &Workload) -> bool {
    plot(workload).is_some()
}

/// Draws a plot of each workload that there are figures of into `directory`.
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

/// A white page with the workload's name and description on top, and what is left of it.
pub(super) fn page<'a>(svg: &'a mut String, size: (u32, u32), workload: &Workload) -> Drawn<Page<'a>> {
    let page = SVGBackend::with_string(svg, size).into_drawing_area();
    page.fill(&WHITE)?;
    let page = page.titled(workload.name, (FONT, 22))?;
    let page = page.titled(&workload.about.replace('`', ""), (FONT, 14))?;
    Ok(page.margin(0, 10, 10, 10))
}

/// The bounds of a logarithmic axis that shows all of `values`, a little wider than they are.
pub(super) fn log_bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) =
        values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    (least.max(0.1) / 1.4, most.max(0.2) * 1.4)
}
