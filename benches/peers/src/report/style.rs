//! How the plots look: a colour for each family, told apart by people who see few colours, and by dashes within it.

use plotters::style::RGBColor;

/// Okabe and Ito's colours, which stay apart for most kinds of colour blindness.
const VERMILLION: RGBColor = RGBColor(213, 94, 0);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const SKY: RGBColor = RGBColor(86, 180, 233);
const BLACK: RGBColor = RGBColor(0, 0, 0);
const GREY: RGBColor = RGBColor(140, 140, 140);

/// Lines of the grid, and text that is not a name.
pub(crate) const FAINT: RGBColor = RGBColor(225, 225, 225);
pub(crate) const INK: RGBColor = RGBColor(60, 60, 60);

pub(crate) const FONT: &str = "sans-serif";

/// A contestant's colour, and its dash in pixels; a dash of 0 is a solid line.
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

/// Half a stroke's width for all but us.
pub(crate) fn stroke(contestant: &str) -> u32 {
    if contestant == "framepool" { 3 } else { 2 }
}
