//! Plots with a panel for each size. A contestant is a line, over percentiles or over numbers of threads.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::page::{Drawn, Page, log_bounds, page, short};
use super::style::{self, FAINT, FONT, INK};
use crate::contestants::CONTESTANTS;
use crate::results::{Figures, Key, Results};
use crate::workloads::{Workload, size_in_words};

const PANEL: (u32, u32) = (560, 420);

/// The end of the axis of percentiles, in nines: 99.999 %.
const NINES: f64 = 5.0;

/// The size of an entry of the legend, in pixels.
const ENTRY: (u32, u32) = (180, 22);

/// The axes that all panels of a plot share.
struct Axes {
    x: Range<f64>,
    x_label: &'static str,
    x_labels: usize,
    x_format: fn(&f64) -> String,
}

/// A contestant and its points.
type Line = (&'static str, Vec<(f64, f64)>);

/// Draws time over the share of frames that took no longer, in nines: one is 90 %, four are 99.99 %.
pub(super) fn percentiles(results: &Results, workload: &Workload, svg: &mut String) -> Drawn {
    let nines = |percentile: f64| -(1.0 - percentile / 100.0).log10();
    let lines = |bytes| {
        each_contestant(|name| {
            let of_it = results.curves.iter().filter(|point| {
                point.workload == workload.name && point.bytes == bytes && point.contestant == name
            });
            // The slowest frame of all would be at infinity on such an axis.
            of_it
                .filter(|point| nines(point.percentile) <= NINES)
                .map(|point| (nines(point.percentile), point.ns))
                .collect()
        })
    };
    let axes = Axes {
        x: 0.0..NINES,
        x_label: "percentile",
        x_labels: 6,
        x_format: |nines| ["0", "90", "99", "99.9", "99.99", "99.999"][*nines as usize].to_owned(),
    };
    draw(workload, svg, &axes, lines)
}

/// Draws time over the number of threads.
pub(super) fn threads(results: &Results, workload: &Workload, svg: &mut String) -> Drawn {
    let figures = Figures::of(&results.rows);
    let lines = |bytes| {
        each_contestant(|contestant| {
            let point = |doublings: u32| {
                let figure = &*format!("threads_{}_ns", 1 << doublings);
                let quartiles =
                    figures.quartiles(Key { workload: workload.name, bytes, contestant, figure })?;
                Some((f64::from(doublings), quartiles.median))
            };
            (0..=4).filter_map(point).collect()
        })
    };
    let axes = Axes {
        x: 0.0..4.0,
        x_label: "threads",
        x_labels: 5,
        x_format: |doublings| doublings.exp2().to_string(),
    };
    draw(workload, svg, &axes, lines)
}

fn each_contestant(points: impl Fn(&'static str) -> Vec<(f64, f64)>) -> Vec<Line> {
    let lines = CONTESTANTS.iter().map(|contestant| (contestant.name, points(contestant.name)));
    lines.filter(|(_, points)| !points.is_empty()).collect()
}

fn draw(workload: &Workload, svg: &mut String, axes: &Axes, lines: impl Fn(usize) -> Vec<Line>) -> Drawn {
    let columns = workload.sizes.len().min(2);
    let rows = workload.sizes.len().div_ceil(columns);
    let panels: Vec<_> = workload.sizes.iter().map(|&bytes| (bytes, lines(bytes))).collect();
    let is_drawn = |name| panels.iter().any(|(_, lines)| lines.iter().any(|(other, _)| *other == name));
    let names: Vec<_> = CONTESTANTS.iter().map(|who| who.name).filter(|name| is_drawn(*name)).collect();

    let width = PANEL.0 * columns as u32;
    let a_row = (width / ENTRY.0) as usize;
    let legend_height = ENTRY.1 * names.len().div_ceil(a_row) as u32 + 14;
    let page = page(svg, (width, PANEL.1 * rows as u32 + 70 + legend_height), workload)?;
    let (above, legend) = page.split_vertically(page.dim_in_pixel().1 - legend_height);
    for (panel, (bytes, lines)) in above.split_evenly((rows, columns)).iter().zip(&panels) {
        draw_panel(panel, &size_in_words(*bytes), axes, lines)?;
    }
    for (place, name) in names.into_iter().enumerate() {
        let at = ((place % a_row) as i32 * ENTRY.0 as i32 + 14, (place / a_row) as i32 * ENTRY.1 as i32 + 14);
        draw_entry(&legend, at, name)?;
    }
    page.present()?;
    Ok(())
}

/// Draws an entry of the legend: a stroke in the style of the contestant's line, and the name.
fn draw_entry(area: &Page<'_>, (x, y): (i32, i32), name: &str) -> Drawn {
    const STROKE: i32 = 36;

    let (colour, dash) = style::of(name);
    let step = if dash == 0 { STROKE } else { dash };
    for start in (0..STROKE).step_by(2 * step as usize) {
        let stroke = [(x + start, y), (x + (start + step).min(STROKE), y)];
        area.draw(&PathElement::new(stroke, colour.stroke_width(style::stroke(name))))?;
    }
    let text = (FONT, 13).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(name.to_owned(), (x + STROKE + 8, y), text))?;
    Ok(())
}

fn draw_panel(area: &Page<'_>, caption: &str, axes: &Axes, lines: &[Line]) -> Drawn {
    let (low, high) = log_bounds(lines.iter().flat_map(|(_, points)| points.iter().map(|&(_, ns)| ns)));
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 14).into_font().color(&INK))
        .x_label_area_size(35)
        .y_label_area_size(50)
        .margin_right(20)
        .build_cartesian_2d(axes.x.clone(), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .x_labels(axes.x_labels)
        .x_label_formatter(&axes.x_format)
        .y_label_formatter(&|ns| short(*ns))
        .x_desc(axes.x_label)
        .y_desc("ns, logarithmic")
        .label_style((FONT, 12).into_font().color(&INK))
        .axis_style(FAINT)
        .draw()?;
    for (name, points) in lines {
        let (colour, dash) = style::of(name);
        let stroke = colour.stroke_width(style::stroke(name));
        let points = points.iter().copied();
        if dash == 0 {
            chart.draw_series(LineSeries::new(points, stroke))?;
        } else {
            chart.draw_series(DashedLineSeries::new(points, dash, dash, stroke))?;
        }
    }
    Ok(())
}
