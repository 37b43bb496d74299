//! Plots with a panel for each size. A contestant is a dot at its median, on a line over the middle half of
//! the rounds.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::page::{Drawn, Page, log_bounds, page, short};
use super::style::{self, FAINT, FONT, INK};
use crate::contestants::CONTESTANTS;
use crate::quartiles::{Quartiles, figure};
use crate::results::{Figures, Key, Results};
use crate::workloads::{Workload, size_in_words};

const PANEL_WIDTH: u32 = 290;
const NAMES_WIDTH: u32 = 150;
const ROW_HEIGHT: u32 = 26;

/// Draws the plot of one workload.
pub(super) fn draw(results: &Results, workload: &Workload, svg: &mut String) -> Drawn {
    let figures = Figures::of(&results.rows);
    let quartiles = |contestant, bytes| {
        figures.quartiles(Key { workload: workload.name, bytes, contestant, figure: "ns" })
    };
    let names: Vec<_> = CONTESTANTS
        .iter()
        .map(|contestant| contestant.name)
        .filter(|name| workload.sizes.iter().any(|&bytes| quartiles(name, bytes).is_some()))
        .collect();
    let panels = workload.sizes.len();
    let size = (NAMES_WIDTH + PANEL_WIDTH * panels as u32, 120 + ROW_HEIGHT * names.len() as u32);
    let page = page(svg, size, workload)?;
    let (left, right) = page.split_horizontally(NAMES_WIDTH);
    for (panel, &bytes) in right.split_evenly((1, panels)).iter().zip(workload.sizes) {
        let rows: Vec<_> = names.iter().map(|&name| (name, quartiles(name, bytes))).collect();
        draw_panel(panel, &size_in_words(bytes), &rows)?;
    }
    draw_names(&left, &names)?;
    page.present()?;
    Ok(())
}

/// The height of a panel's caption. The names have the same margins as the panels, so they stand beside their
/// rows.
const CAPTION_HEIGHT: u32 = 20;
const AXIS_HEIGHT: u32 = 35;

fn draw_names(area: &Page<'_>, names: &[&str]) -> Drawn {
    let (_, height) = area.dim_in_pixel();
    let rows = height - CAPTION_HEIGHT - AXIS_HEIGHT;
    for (row, name) in names.iter().enumerate() {
        let y = CAPTION_HEIGHT + rows * (2 * row as u32 + 1) / (2 * names.len() as u32);
        let text = (FONT, 14).into_font().color(&INK).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(*name, (NAMES_WIDTH as i32 - 14, y as i32), text))?;
    }
    Ok(())
}

fn draw_panel(area: &Page<'_>, caption: &str, rows: &[(&str, Option<Quartiles>)]) -> Drawn {
    let (caption_area, plot) = area.split_vertically(CAPTION_HEIGHT);
    let text = (FONT, 14).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
    let middle = (caption_area.dim_in_pixel().0 as i32 / 2, CAPTION_HEIGHT as i32 / 2);
    caption_area.draw(&Text::new(caption.to_owned(), middle, text))?;

    let known = || rows.iter().filter_map(|(_, quartiles)| *quartiles);
    let (low, high) = log_bounds(known().flat_map(|quartiles| [quartiles.lower, quartiles.upper]));
    let mut chart = ChartBuilder::on(&plot)
        .x_label_area_size(AXIS_HEIGHT)
        .margin_right(14)
        // This leaves room for the figure to the right of the last dot.
        .build_cartesian_2d((low..high * 2.5).log_scale(), -(rows.len() as f64)..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .x_labels(5)
        .x_label_formatter(&|ns| short(*ns))
        .x_desc("ns, logarithmic")
        .label_style((FONT, 12).into_font().color(&INK))
        .axis_style(FAINT)
        .draw()?;
    for (row, (name, quartiles)) in rows.iter().enumerate() {
        let Some(Quartiles { median, lower, upper }) = *quartiles else { continue };
        let y = -(row as f64) - 0.5;
        let (colour, _) = style::of(name);
        chart.draw_series([PathElement::new([(lower, y), (upper, y)], colour.stroke_width(3))])?;
        chart.draw_series([Circle::new((median, y), 4, colour.filled())])?;
        let text = (FONT, 12).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
        let beside = EmptyElement::at((upper, y)) + Text::new(figure(median), (9, 0), text);
        chart.draw_series([beside])?;
    }
    Ok(())
}
