//! Runs one timing loop on two threads at once, and makes sure of the "at once".
//!
//! On a busy machine the two may well run in turns, and a contended lock then looks like a free one. So a run
//! counts only if both threads start together and neither loses its processor, and is repeated a few times for that. A
//! run that is still disturbed after the last try is returned all the same, and counted.

use std::fs;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a run is tried. With processors to spare, the first one or two are clean.
const TRIES: usize = 4;

/// The least time of a run: shorter ones say more about how threads start than about what they do.
const LEAST_RUN: Duration = Duration::from_millis(4);

/// Only ever added to and read, so Relaxed is enough.
static DISTURBED: AtomicU64 = AtomicU64::new(0);

/// Tells on stderr if any run so far was disturbed on every try. What such a run read says little.
pub(crate) fn tell_disturbed() {
    let disturbed = DISTURBED.load(Ordering::Relaxed);
    if disturbed > 0 {
        eprintln!(
            "benches: the machine was too busy for {disturbed} runs of two threads at once: distrust what they read"
        );
    }
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

/// The longer of the two threads' times for so many rounds of `timed`; each warms up with one round first. Few rounds are
/// run more often than asked, until they take long enough, and their time scaled down again.
pub(crate) fn longer_of_two(rounds: u64, timed: impl Fn(u64) -> Duration + Sync) -> Duration {
    let (mut repeats, mut tries) = (1u32, 1);
    loop {
        let laps = both(rounds * u64::from(repeats), &timed);
        let wall = laps[0].wall.max(laps[1].wall);
        if wall < LEAST_RUN {
            let short_by = LEAST_RUN.div_duration_f64(wall.max(Duration::from_nanos(1)));
            repeats = repeats.saturating_mul(short_by as u32 + 1);
            continue;
        }
        let clean = ran_at_once(&laps);
        if clean || tries == TRIES {
            DISTURBED.fetch_add(u64::from(!clean), Ordering::Relaxed);
            return laps[0].time.max(laps[1].time) / repeats;
        }
        tries += 1;
    }
}

fn both(rounds: u64, timed: &(impl Fn(u64) -> Duration + Sync)) -> [Lap; 2] {
    let ready = AtomicUsize::new(0);
    let lap = || {
        timed(1);
        let displaced_before = displaced();
        // The barrier spins, because a thread that had to be woken would start late. Its order publishes nothing.
        ready.fetch_add(1, Ordering::Relaxed);
        while ready.load(Ordering::Relaxed) < 2 {
            spin_loop();
        }
        let start = Instant::now();
        let time = timed(rounds);
        Lap { start, wall: start.elapsed(), time, displaced: displaced() - displaced_before }
    };
    thread::scope(|scope| {
        let other = scope.spawn(lap);
        [lap(), other.join().expect("a bench thread stops only by running out of memory")]
    })
}

/// Whether both started together and neither lost its processor, but for a tenth of their time. They need not end
/// together: a lock that lets one thread through more often than the other is what is measured here, not a disturbance.
fn ran_at_once([a, b]: &[Lap; 2]) -> bool {
    let apart = a.start.max(b.start) - a.start.min(b.start);
    let lost = apart.max(a.displaced).max(b.displaced);
    lost * 10 <= a.wall.max(b.wall)
}

/// How long this thread has been displaced since it began: the second figure of Linux's `schedstat`. Waiting for a lock in
/// the kernel is not that. Where there is no such file, only the common start counts.
fn displaced() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().nth(1).and_then(|figure| figure.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
