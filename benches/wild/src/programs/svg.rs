//! resvg: renders drawings with many layers.

use std::fmt::Write;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program =
    Program { name: "svg", of: "resvg", does: "drawings with layers, at 1000 x 1000", threads: 1, run };

fn run() -> u32 {
    let mut drawing = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1000 1000'>".to_owned();
    for n in 0..60 {
        let (x, y, colour) = (n * 37 % 900, n * 53 % 900, n * 4);
        let _ = write!(
            drawing,
            "<g opacity='0.{}'><circle cx='{x}' cy='{y}' r='{}' fill='rgb({colour},90,{})'/>\
             <path d='M{x} {y} C 10 20, 300 {y}, {y} {x} S 700 100, 900 900' stroke='navy' fill='none'/></g>",
            n % 8 + 1,
            30 + n,
            255 - colour
        );
    }
    drawing += "</svg>";
    let mut checksum = Checksum::default();
    for _ in 0..4 {
        let tree = Tree::from_str(&drawing, &Options::default()).expect("a drawing");
        let mut picture = Pixmap::new(1000, 1000).expect("a picture");
        resvg::render(&tree, Transform::identity(), &mut picture.as_mut());
        checksum.add(picture.data());
    }
    checksum.finish()
}
