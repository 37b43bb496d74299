//! The same blocks on 1 to 16 threads at once, and a private loop beside them that needs no allocator.
//!
//! Two threads on a shared machine are slower than one whatever they do. The control loop is as long as a fast pair, works on
//! its thread's own stack, and is run right before and after: dividing by its slow-down leaves the allocator's. With more
//! threads than processors, the figure is processor time: the time of all, times processors, by pairs.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::at_once::{at_once, disturbed, longest_of};
use crate::contestants::Subject;
use crate::outcome::{DISTURBED, Outcome};
use crate::source::Source;

/// Rounds of one call of the timing loops: long enough for the clock, and repeated as often as it takes.
const ROUNDS: u64 = 2_000;

/// Nanoseconds a pair on each of so many threads.
pub(crate) fn pairs(subject: Subject, bytes: usize, _: Duration) -> Outcome {
    run::<1>(subject, bytes, &[1, 2, 4, 8, 16])
}

/// Nanoseconds a block in bursts of 16, on one thread and two.
pub(crate) fn bursts(subject: Subject, bytes: usize, _: Duration) -> Outcome {
    run::<16>(subject, bytes, &[1, 2])
}

fn run<const HELD: usize>(subject: Subject, bytes: usize, crowds: &[usize]) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    let rounds = ROUNDS / HELD as u64;
    let mut figures = Vec::new();
    for &threads in crowds {
        // No control for crowds: with threads that take turns, there is nothing to divide by.
        if threads <= 2 {
            figures.push((format!("control_{threads}_ns"), ns(threads, ROUNDS, private)));
        }
        let blocks = ns(threads, rounds, |rounds| timed(rounds, || source.batch::<HELD>())) / HELD as f64;
        figures.push((format!("threads_{threads}_ns"), blocks));
    }
    figures.push((DISTURBED.to_owned(), disturbed() as f64));
    Outcome::of_many(figures)
}

/// Nanoseconds of a round, on the processor that it ran on.
fn ns(threads: usize, rounds: u64, loop_of: impl Fn(u64) -> Duration + Sync) -> f64 {
    let time = longest_of(threads, rounds, loop_of).as_secs_f64() * 1e9;
    time / rounds as f64 * at_once(threads) as f64 / threads as f64
}

/// Some ten loads and stores a round, in memory that no other thread comes near.
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
