//! Runs one timing loop on several threads at once, and checks that they really ran at once.
//!
//! On a busy machine the threads may run in turns, and a contended lock then looks like a free one. A run
//! counts only if all threads start together and none loses its processor. A disturbed run is repeated, up to
//! four tries in all. If the last try is disturbed too, its result is returned and the run is counted as
//! disturbed.
//!
//! If there are more threads than processors, the threads do run in turns. Such a run is only made long
//! enough for many turns.

use std::fs;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

/// The number of tries of a run. With processors to spare, the first or second try is clean.
const TRIES: usize = 4;

/// The minimum time of a run. A shorter run measures how threads start more than what they do.
const MIN_RUN: Duration = Duration::from_millis(4);

/// The number of runs that were disturbed on every try. It is only added to and read, so Relaxed is enough.
static DISTURBED: AtomicU64 = AtomicU64::new(0);

/// Returns how many runs so far were disturbed on every try. The figures of such a run say little.
pub(crate) fn disturbed() -> u64 {
    DISTURBED.load(Ordering::Relaxed)
}

/// Returns how many of `threads` threads can run at once.
pub(crate) fn at_once(threads: usize) -> usize {
    threads.min(available_parallelism().map_or(1, usize::from))
}

/// One thread's part of a run.
struct Lap {
    start: Instant,
    /// The time from start to end.
    wall: Duration,
    /// The time that the timing loop returned.
    time: Duration,
    /// The time that the thread was ready to run while another one had its processor.
    displaced: Duration,
}

/// Calls `run` until it reports an undisturbed run, at most [`TRIES`] times. The last try counts in any case.
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

/// Returns the longest of the threads' times for `rounds` rounds of `timed`. Each thread warms up with one
/// round first. If that many rounds are too short, they are repeated until they take long enough, and the
/// time is divided by the number of repeats.
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
        // The barrier spins, because a thread that had to be woken would start late. Its atomic operations
        // publish nothing.
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

/// Whether all threads started together and none lost its processor, each to within a tenth of the run's
/// time. The threads need not end together: a lock that lets one thread through more often than the other is
/// part of the measurement, not a disturbance.
fn ran_at_once(laps: &[Lap]) -> bool {
    let starts = || laps.iter().map(|lap| lap.start);
    let apart = starts().max().zip(starts().min()).map_or(Duration::ZERO, |(last, first)| last - first);
    let displaced = laps.iter().map(|lap| lap.displaced).max().unwrap_or_default();
    let wall = laps.iter().map(|lap| lap.wall).max().unwrap_or_default();
    apart.max(displaced) * 10 <= wall
}

/// Returns how long the calling thread has been displaced since it began: the second figure of Linux's
/// `schedstat`. Waiting for a lock in the kernel does not count. If there is no such file, the result is
/// zero. Only the common start is checked then.
pub(crate) fn displaced() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().nth(1).and_then(|figure| figure.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
