//! The look of the plots: a colour for each family of allocators, and dashes within a family. The colours
//! stay distinct for most readers who are colour-blind.

use plotters::style::RGBColor;

/// Okabe and Ito's colours, which stay distinct for most kinds of colour blindness.
const VERMILLION: RGBColor = RGBColor(213, 94, 0);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const SKY: RGBColor = RGBColor(86, 180, 233);
const BLACK: RGBColor = RGBColor(0, 0, 0);
const GREY: RGBColor = RGBColor(140, 140, 140);

/// The colour of grid lines and axes.
pub(crate) const FAINT: RGBColor = RGBColor(225, 225, 225);
pub(crate) const INK: RGBColor = RGBColor(60, 60, 60);

pub(crate) const FONT: &str = "sans-serif";

/// Returns a contestant's colour, and its dash in pixels. A dash of 0 is a solid line.
pub(crate) fn of(contestant: &str) -> (RGBColor, i32) {
    match contestant {
        "framepool" => (VERMILLION, 0),
        "mimalloc" => (BLUE, 0),
        "jemalloc" => (GREEN, 0),
        "rpmalloc" => (PURPLE, 0),
        "snmalloc" => (ORANGE, 0),
        "glibc" => (BLACK, 0),
        "glibc_tuned" => (BLACK, 8),
        "glibc_pinned" => (BLACK, 2),
        "original" => (SKY, 0),
        "per_pool_spin" => (SKY, 5),
        "ring" => (GREY, 3),
        variant if variant.starts_with("framepool") => (VERMILLION, 5),
        _ => (GREY, 0),
    }
}

/// Returns the width of a contestant's line in pixels. framepool's line is the widest.
pub(crate) fn stroke(contestant: &str) -> u32 {
    if contestant == "framepool" { 3 } else { 2 }
}
