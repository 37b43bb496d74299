//! One block over and over, and 16 or 64 blocks held and then freed: the cost of a call, and the cost of
//! finding many blocks.

use std::time::Duration;

use crate::clock::ns_a_step;
use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::Source;

/// Measures the nanoseconds to allocate and free a block, in batches of `HELD` that are freed oldest first.
/// Nothing is written.
pub(crate) fn run<const HELD: usize>(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    Outcome::of("ns", ns_a_step(time, || source.batch::<HELD>()) / HELD as f64)
}
