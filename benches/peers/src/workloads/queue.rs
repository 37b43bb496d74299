//! A queue of eight buffers, each written through: the value of the allocator to a program that fills its
//! buffers.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::ns_a_step;
use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::Source;

/// The number of buffers in the queue.
const DEPTH: usize = 8;

/// Measures the nanoseconds from one buffer to the next: allocate, write all of it, put it into the queue,
/// free the oldest.
pub(crate) fn run(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    let mut queue: VecDeque<_> = (0..DEPTH).map(|_| source.block()).collect();
    let ns = ns_a_step(time, || {
        let mut block = source.block();
        block.fill(0xA5);
        queue.push_back(block);
        queue.pop_front();
    });
    Outcome::of("ns", ns)
}
