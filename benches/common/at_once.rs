//! Runs one timing loop on several threads at once, and makes sure of the "at once".
//!
//! On a busy machine the threads may well run in turns, and a contended lock then looks like a free one. So a run
//! counts only if all threads start together and none loses its processor, and is repeated a few times for that. A
//! run that is still disturbed after the last try is returned all the same, and counted. Where there are more threads than
//! processors, they do run in turns: such a run is only made long enough for them to take many.

use std::fs;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

/// How often a run is tried. With processors to spare, the first one or two are clean.
const TRIES: usize = 4;

/// The least time of a run: shorter ones say more about how threads start than about what they do.
const MIN_RUN: Duration = Duration::from_millis(4);

/// Only ever added to and read, so Relaxed is enough.
static DISTURBED: AtomicU64 = AtomicU64::new(0);

/// How many runs so far were disturbed on every try. What such a run read says little.
pub(crate) fn disturbed() -> u64 {
    DISTURBED.load(Ordering::Relaxed)
}

/// How many of so many threads can run at once.
pub(crate) fn at_once(threads: usize) -> usize {
    threads.min(available_parallelism().map_or(1, usize::from))
}

/// One thread's part of a run.
struct Lap {
    start: Instant,
    /// From start to end.
    wall: Duration,
    /// What the timing loop makes of it.
    time: Duration,
    /// How long the thread was ready to run and another one had its processor.
    displaced: Duration,
}

/// Runs until a run says that it was not disturbed, a few times at most; the last try counts in any case.
pub(crate) fn undisturbed<R>(mut run: impl FnMut() -> (R, bool)) -> R {
    for _ in 1..TRIES {
        if let (result, true) = run() {
            return result;
        }
    }
    let (result, clean) = run();
    DISTURBED.fetch_add(u64::from(!clean), Ordering::Relaxed);
    result
}

/// The longest of the threads' times for so many rounds of `timed`; each warms up with one round first. Few rounds are
/// run more often than asked, until they take long enough, and their time scaled down again.
pub(crate) fn longest_of(threads: usize, rounds: u64, timed: impl Fn(u64) -> Duration + Sync) -> Duration {
    let turns = threads.div_ceil(at_once(threads)) as u32;
    let min_run = MIN_RUN * turns;
    let mut repeats = 1;
    undisturbed(|| {
        loop {
            let laps = all(threads, rounds * u64::from(repeats), &timed);
            let wall = laps.iter().map(|lap| lap.wall).max().unwrap_or_default();
            if wall >= min_run {
                let time = laps.iter().map(|lap| lap.time).max().unwrap_or_default();
                return (time / repeats, turns > 1 || ran_at_once(&laps));
            }
            let short_by = min_run.div_duration_f64(wall.max(Duration::from_nanos(1)));
            repeats = repeats.saturating_mul(short_by as u32 + 1);
        }
    })
}

fn all(threads: usize, rounds: u64, timed: &(impl Fn(u64) -> Duration + Sync)) -> Vec<Lap> {
    let ready = AtomicUsize::new(0);
    let can_spin = at_once(threads) == threads;
    let lap = || {
        timed(1);
        let displaced_before = displaced();
        // The barrier spins, because a thread that had to be woken would start late. Its order publishes nothing.
        ready.fetch_add(1, Ordering::Relaxed);
        while ready.load(Ordering::Relaxed) < threads {
            if can_spin { spin_loop() } else { thread::yield_now() }
        }
        let start = Instant::now();
        let time = timed(rounds);
        Lap { start, wall: start.elapsed(), time, displaced: displaced() - displaced_before }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(lap)).collect();
        let own = lap();
        let others = others
            .into_iter()
            .map(|other| other.join().expect("a bench thread stops only by running out of memory"));
        others.chain([own]).collect()
    })
}

/// Whether all started together and none lost its processor, but for a tenth of their time. They need not end
/// together: a lock that lets one thread through more often than the other is what is measured here, not a disturbance.
fn ran_at_once(laps: &[Lap]) -> bool {
    let starts = || laps.iter().map(|lap| lap.start);
    let apart = starts().max().zip(starts().min()).map_or(Duration::ZERO, |(last, first)| last - first);
    let displaced = laps.iter().map(|lap| lap.displaced).max().unwrap_or_default();
    let wall = laps.iter().map(|lap| lap.wall).max().unwrap_or_default();
    apart.max(displaced) * 10 <= wall
}

/// How long this thread has been displaced since it began: the second figure of Linux's `schedstat`. Waiting for a lock in
/// the kernel is not that. Where there is no such file, only the common start counts.
pub(crate) fn displaced() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().nth(1).and_then(|figure| figure.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
