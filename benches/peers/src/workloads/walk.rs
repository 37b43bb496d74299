//! Small objects that live side by side: what their distance does to a program that walks them.
//!
//! The pools put each into a slot of 1 KiB, so that a thousand share few cache sets and fill a page with four;
//! `framepool_unheld` gives all of them slots, where the default table lets half of them go to the system allocator.

use std::hint::black_box;
use std::time::Duration;

use crate::clock::ns_a_step;
use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::{Block, Source};

/// Objects in the walk.
const OBJECTS: usize = 1_000;

/// Nanoseconds to read and write one of a thousand objects, in the order in which they were made.
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
