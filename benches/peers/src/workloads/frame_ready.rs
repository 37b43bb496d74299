//! The time until a frame can be written: allocate, then touch each of its pages, while a queue's depth
//! varies.
//!
//! The time of each frame counts, not the mean, because a viewer sees the one frame in a hundred that comes
//! late. The depth is a random walk between 0 and 24, the same walk for all contestants. The allocator
//! therefore sometimes needs memory and sometimes has memory to return. Frames come as fast as possible. At a
//! camera's frame rate, allocators that return memory after a time would do it more often.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::Source;

/// The maximum number of frames in the queue.
const DEPTH: usize = 24;

/// The figures of one sample. The tail beyond them is read from all samples together.
pub(crate) const PERCENTILES: &[(&str, f64)] = &[
    ("p50_ns", 50.0),
    ("p90_ns", 90.0),
    ("p99_ns", 99.0),
    ("p99.9_ns", 99.9),
    ("p99.99_ns", 99.99),
    ("max_ns", 100.0),
];

/// Measures percentiles of the nanoseconds until a frame is ready.
pub(crate) fn run(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    let mut queue = VecDeque::with_capacity(DEPTH);
    let mut walk = fastrand::Rng::with_seed(24);
    let mut latencies = histogram();
    let begin = Instant::now();
    loop {
        let grows = queue.is_empty() || queue.len() < DEPTH && walk.bool();
        if !grows {
            queue.pop_front();
            continue;
        }
        let start = Instant::now();
        let mut frame = source.block();
        frame.touch();
        let ready = start.elapsed();
        queue.push_back(frame);
        latencies.saturating_record(ready.as_nanos() as u64);
        if begin.elapsed() >= time {
            break;
        }
    }
    let figures = PERCENTILES.iter().map(|&(name, percentile)| (name, at(&latencies, percentile)));
    Outcome::of_many(figures).with_latencies(&latencies)
}

/// An empty histogram with three significant digits, from one nanosecond to one minute.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).expect("the bounds are constants")
}

/// Returns a percentile of the latencies, in nanoseconds.
pub(crate) fn at(latencies: &Histogram<u64>, percentile: f64) -> f64 {
    latencies.value_at_percentile(percentile) as f64
}
