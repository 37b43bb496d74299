//! Small objects side by side: the effect of their distance on a program that walks them.
//!
//! The pools put each object into a slot of 1 KiB. A thousand objects then share few cache sets, and four of
//! them fill a page. `framepool_unheld` gives all objects slots. The default table sends about half of them
//! to the system allocator.

use std::hint::black_box;
use std::time::Duration;

use crate::clock::ns_a_step;
use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::{Block, Source};

/// The number of objects in the walk.
const OBJECTS: usize = 1_000;

/// Measures the nanoseconds to read and write one of a thousand objects, in the order in which they were
/// made.
pub(crate) fn run(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    let mut objects: Vec<Block> = (0..OBJECTS).map(|_| source.block()).collect();
    let mut bytes: Vec<&mut [u8]> = objects.iter_mut().map(|object| object.fill(1)).collect();
    let ns = ns_a_step(time, || {
        for object in &mut bytes {
            object[0] = black_box(object[0].wrapping_add(1));
        }
    });
    Outcome::of("ns", ns / OBJECTS as f64)
}
