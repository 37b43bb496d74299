//! Blocks allocated and freed on 1 to 16 threads at once, beside a private loop that needs no allocator.
//!
//! On a shared machine two threads are slower than one, even without an allocator. The control loop takes as
//! long as a fast pair, works on its thread's own stack, and runs right before the blocks. Dividing by its
//! slow-down leaves the allocator's. If there are more threads than processors, the figure is processor time:
//! the time of the run, times the processors, divided by the pairs of all threads.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::at_once::{at_once, disturbed, longest_of};
use crate::contestants::Subject;
use crate::outcome::{DISTURBED, Outcome};
use crate::source::Source;

/// The rounds of one call of a timing loop. If they are too short for the clock, the harness repeats them.
const ROUNDS: u64 = 2_000;

/// Measures the nanoseconds of a pair on 1 to 16 threads.
pub(crate) fn pairs(subject: Subject, bytes: usize, _: Duration) -> Outcome {
    run::<1>(subject, bytes, &[1, 2, 4, 8, 16])
}

/// Measures the nanoseconds of a block in bursts of 16, on one thread and on two.
pub(crate) fn bursts(subject: Subject, bytes: usize, _: Duration) -> Outcome {
    run::<16>(subject, bytes, &[1, 2])
}

fn run<const HELD: usize>(subject: Subject, bytes: usize, crowds: &[usize]) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    let rounds = ROUNDS / HELD as u64;
    let mut figures = Vec::new();
    for &threads in crowds {
        // There is no control loop beyond two threads: if threads take turns, there is nothing to divide by.
        if threads <= 2 {
            figures.push((format!("control_{threads}_ns"), ns(threads, ROUNDS, private)));
        }
        let blocks = ns(threads, rounds, |rounds| timed(rounds, || source.batch::<HELD>())) / HELD as f64;
        figures.push((format!("threads_{threads}_ns"), blocks));
    }
    figures.push((DISTURBED.to_owned(), disturbed() as f64));
    Outcome::of_many(figures)
}

/// Returns the nanoseconds of a round, on the processor that it ran on.
fn ns(threads: usize, rounds: u64, loop_of: impl Fn(u64) -> Duration + Sync) -> f64 {
    let time = longest_of(threads, rounds, loop_of).as_secs_f64() * 1e9;
    time / rounds as f64 * at_once(threads) as f64 / threads as f64
}

/// Runs about ten loads and stores a round, in memory that no other thread touches.
fn private(rounds: u64) -> Duration {
    let mut places = [0_u64; 64];
    let mut top = 0;
    timed(rounds, || {
        for _ in 0..4 {
            places[top % 64] = black_box(places[(top + 1) % 64] + 1);
            top += 1;
        }
        black_box(&mut places);
    })
}

#[inline(always)]
fn timed(rounds: u64, mut round: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..rounds {
        round();
    }
    start.elapsed()
}
