//! The page that a plot is drawn on, and its axes. No system font is opened, because SVG leaves text to its
//! viewer.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::style::FONT;
use crate::workloads::Workload;

/// The result of drawing. An error on SVG is an error of writing the file.
pub(super) type Drawn<T = ()> = Result<T, Box<dyn Error>>;

/// The area of a plot, or a part of it.
pub(super) type Page<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Makes a white page with the workload's name and description on top, and returns the rest of it.
pub(super) fn page<'a>(svg: &'a mut String, size: (u32, u32), workload: &Workload) -> Drawn<Page<'a>> {
    let page = SVGBackend::with_string(svg, size).into_drawing_area();
    page.fill(&WHITE)?;
    let page = page.titled(workload.name, (FONT, 22))?;
    let page = page.titled(&workload.about.replace('`', ""), (FONT, 14))?;
    Ok(page.margin(0, 10, 10, 10))
}

/// Returns the bounds of a logarithmic axis that shows all of `values`, with a little room at both ends. Without values
/// they are bounds all the same.
pub(super) fn log_bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) =
        values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    (least.min(most).max(0.1) / 1.4, most.max(0.2) * 1.4)
}

/// Returns a label for an axis: `20`, `3k`, `4M`.
pub(super) fn short(value: f64) -> String {
    match value {
        millions if millions >= 1e6 => format!("{}M", millions / 1e6),
        thousands if thousands >= 1e3 => format!("{}k", thousands / 1e3),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_of_nothing_has_an_end() {
        for values in [&[][..], &[0.01], &[3.0, 700.0]] {
            let (low, high) = log_bounds(values.iter().copied());
            assert!(0.0 < low && low < high && high.is_finite(), "{values:?}: {low}..{high}");
        }
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.5, 20.0, 3e3, 4.5e6].map(short), ["0.5", "20", "3k", "4.5M"]);
    }
}
