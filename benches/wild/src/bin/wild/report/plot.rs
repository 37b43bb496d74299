//! The plot: a line for each program, a dot with its interval for each contestant, CPU time on the left and peak memory
//! on the right.

use std::error::Error;

use framepool_wild::PROGRAMS;
use plotters::prelude::*;

use super::{CPU, MEMORY};
use crate::ratios::Interval;
use crate::results::Results;

/// The contestants in the plot, and their colours.
const SHOWN: [(&str, RGBColor); 7] = [
    ("tuned", RGBColor(120, 120, 120)),
    ("pools", RGBColor(200, 30, 30)),
    ("advised", RGBColor(240, 130, 40)),
    ("advised_huge", RGBColor(200, 170, 0)),
    ("mimalloc", RGBColor(40, 90, 200)),
    ("jemalloc", RGBColor(30, 140, 60)),
    ("rpmalloc", RGBColor(140, 70, 170)),
];

/// The range of the axes, as ratios to `System`. What lies outside is a smaller dot at the edge.
const RANGE: (f64, f64) = (0.3, 3.0);

const ROW: i32 = 30;
const LEFT: i32 = 120;
const WIDTH: i32 = 400;
const TOP: i32 = 60;

pub(super) fn svg(results: &Results) -> Result<String, Box<dyn Error>> {
    let programs: Vec<_> = PROGRAMS
        .iter()
        .filter(|program| results.rows.iter().any(|row| row.program == program.name))
        .collect();
    let height = TOP + ROW * programs.len() as i32 + 40;
    let mut svg = String::new();
    {
        let page = SVGBackend::with_string(&mut svg, ((LEFT + 2 * WIDTH + 40) as u32, height as u32));
        let page = page.into_drawing_area();
        page.fill(&WHITE)?;
        let text = |size: i32| ("sans-serif", size).into_font();
        for (at, (name, colour)) in SHOWN.iter().enumerate() {
            let x = LEFT + 110 * at as i32;
            page.draw(&Circle::new((x, 16), 5, colour.filled()))?;
            page.draw(&Text::new(*name, (x + 10, 9), text(14)))?;
        }
        for (row, program) in programs.iter().enumerate() {
            let y = TOP + ROW * row as i32 + ROW / 2;
            page.draw(&Text::new(program.name, (8, y - 7), text(14)))?;
            for (panel, figure) in [CPU, MEMORY].into_iter().enumerate() {
                let left = LEFT + WIDTH * panel as i32;
                let line = [(left, y), (left + WIDTH - 20, y)];
                page.draw(&PathElement::new(line, RGBColor(225, 225, 225)))?;
                // Each a little lower than the one before, so that their intervals can be told apart.
                for (at, (name, colour)) in SHOWN.into_iter().enumerate() {
                    let Some(Interval { median, low, high }) =
                        figure.ratio(results, program.name, name, "busy")
                    else {
                        continue;
                    };
                    let y = y + 3 * (at as i32 - SHOWN.len() as i32 / 2);
                    let interval = [(left + x_of(low), y), (left + x_of(high), y)];
                    page.draw(&PathElement::new(interval, colour.stroke_width(1)))?;
                    let size = if (RANGE.0..=RANGE.1).contains(&median) { 4 } else { 2 };
                    page.draw(&Circle::new((left + x_of(median), y), size, colour.filled()))?;
                }
            }
        }
        for (panel, figure) in [CPU, MEMORY].into_iter().enumerate() {
            let left = LEFT + WIDTH * panel as i32;
            let title = format!("{} beside the neighbour, System = 1", figure.title);
            page.draw(&Text::new(title, (left, 36), text(14)))?;
            for mark in [0.5, 1.0, 2.0] {
                let x = left + x_of(mark);
                let line = [(x, TOP), (x, height - 30)];
                page.draw(&PathElement::new(line, RGBColor(170, 170, 170)))?;
                page.draw(&Text::new(format!("{mark}"), (x - 6, height - 24), text(12)))?;
            }
        }
        page.present()?;
    }
    Ok(svg)
}

/// Returns where a ratio lies on a logarithmic axis.
fn x_of(ratio: f64) -> i32 {
    let (low, high) = RANGE;
    let share = (ratio.clamp(low, high) / low).ln() / (high / low).ln();
    (share * f64::from(WIDTH - 40)) as i32 + 8
}
