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

use crate::contestants::{self, Subject};
use crate::outcome::{Outcome, POOLED, named_for};
use crate::source::{Block, Source};

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

/// A queue of frames, whose depth wanders.
struct Queue {
    subject: Subject,
    source: Source,
    frames: VecDeque<Block>,
    walk: fastrand::Rng,
    latencies: Histogram<u64>,
}

impl Queue {
    fn new(subject: Subject, bytes: usize) -> Self {
        Self {
            subject,
            source: Source::new(subject.allocator, bytes),
            frames: VecDeque::with_capacity(DEPTH),
            walk: fastrand::Rng::with_seed(24),
            latencies: histogram(),
        }
    }

    /// Adds a frame, after as many were dropped as the walk says.
    fn step(&mut self) {
        while !self.frames.is_empty() && (self.frames.len() == DEPTH || self.walk.bool()) {
            self.frames.pop_front();
        }
        let start = Instant::now();
        let mut frame = self.source.block();
        frame.touch();
        let ready = start.elapsed();
        self.frames.push_back(frame);
        self.latencies.saturating_record(ready.as_nanos() as u64);
    }

    fn percentiles(&self) -> impl Iterator<Item = (&'static str, f64)> {
        PERCENTILES.iter().map(|&(name, percentile)| (name, at(&self.latencies, percentile)))
    }
}

/// Measures percentiles of the nanoseconds until a frame is ready.
pub(crate) fn run(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let mut queue = Queue::new(subject, bytes);
    let begin = Instant::now();
    while begin.elapsed() < time || queue.latencies.is_empty() {
        queue.step();
    }
    Outcome::of_many(queue.percentiles()).with_latencies(&queue.latencies)
}

/// Measures these percentiles for several contestants in one process, in turns of [`TURN`] frames. Another one is first each
/// time. All of them share one address space, and the caches are never a contestant's alone.
pub(crate) fn run_in_turns(_: Subject, bytes: usize, time: Duration) -> Outcome {
    const TURN: usize = 64;
    const NAMES: [&str; 8] =
        ["framepool", "framepool_fitted", "mimalloc", "jemalloc", "rpmalloc", "snmalloc", "glibc", "ring"];

    let begin = Instant::now();
    let mut queues = NAMES.map(|name| {
        let contestant = contestants::named(name).expect("a contestant");
        Queue::new((contestant.prepare)(bytes), bytes)
    });
    for first in (0..NAMES.len()).cycle() {
        for turn in 0..NAMES.len() {
            let queue = &mut queues[(first + turn) % NAMES.len()];
            (0..TURN).for_each(|_| queue.step());
        }
        if begin.elapsed() >= time {
            break;
        }
    }
    let figures = NAMES.iter().zip(&queues).flat_map(|(&contestant, queue)| {
        let pooled = queue.subject.pooled_percent().map(|percent| (POOLED, percent));
        queue.percentiles().chain(pooled).map(move |(figure, value)| (named_for(contestant, figure), value))
    });
    Outcome::of_many(figures)
}

/// An empty histogram with three significant digits, from one nanosecond to one minute.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).expect("the bounds are constants")
}

/// Returns a percentile of the latencies, in nanoseconds.
pub(crate) fn at(latencies: &Histogram<u64>, percentile: f64) -> f64 {
    latencies.value_at_percentile(percentile) as f64
}
