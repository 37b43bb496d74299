//! Times a step that is repeated: the median of seven stretches, each long enough for the clock.
//!
//! A stretch that another process interrupts is an outlier among its neighbours, and the median drops it. The
//! median drops a rare slow path of the allocator too; the workload `frame_ready` shows those.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::quartiles::median;

/// The number of stretches in one sample: odd, so the median is one of them.
const STRETCHES: u32 = 7;

/// Returns the nanoseconds that one `step` takes. Runs for about `time`. Finding the number of steps takes
/// about as long again, and is the warm-up.
#[inline(always)]
pub(crate) fn ns_a_step(time: Duration, mut step: impl FnMut()) -> f64 {
    let steps = steps_in(time / STRETCHES, &mut step);
    median((0..STRETCHES).map(|_| ns(stretch(steps, &mut step), steps)).collect())
}

/// Times two steps in turns of at least 10 us each. Returns the median nanoseconds of each step, and the
/// median of `first / second` over neighbouring stretches, in which a drift of the machine cancels out.
#[inline(always)]
pub(crate) fn ns_in_turns(time: Duration, mut first: impl FnMut(), mut second: impl FnMut()) -> [f64; 3] {
    const TURN: Duration = Duration::from_micros(10);

    let steps = steps_in(TURN, &mut first).max(steps_in(TURN, &mut second));
    let start = Instant::now();
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    while start.elapsed() < time || firsts.is_empty() {
        // Each step goes first every other time.
        firsts.push(ns(stretch(steps, &mut first), steps));
        seconds.push(ns(stretch(steps, &mut second), steps));
        seconds.push(ns(stretch(steps, &mut second), steps));
        firsts.push(ns(stretch(steps, &mut first), steps));
    }
    let ratios = firsts.iter().zip(&seconds).map(|(first, second)| first / second).collect();
    [median(firsts), median(seconds), median(ratios)]
}

/// Returns how many steps take at least `time`, found by trying.
fn steps_in(time: Duration, step: &mut impl FnMut()) -> u64 {
    // The first step may start up an allocator, which can take longer than all that is to be timed.
    step();
    let mut steps = 1;
    loop {
        let took = stretch(steps, step);
        if took >= time {
            return steps;
        }
        // A slow first step, which faults its pages in, must not end the search too early: the number grows
        // by ten times at most.
        let short_by = time.div_duration_f64(took.max(Duration::from_nanos(1))).clamp(1.1, 10.0);
        steps = (steps as f64 * short_by).ceil() as u64;
    }
}

#[inline(always)]
fn stretch(steps: u64, step: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..black_box(steps) {
        step();
    }
    start.elapsed()
}

fn ns(time: Duration, steps: u64) -> f64 {
    time.as_secs_f64() * 1e9 / steps as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn a_step_that_sleeps_takes_as_long_as_it_sleeps() {
        let ns = ns_a_step(Duration::from_millis(7), || sleep(Duration::from_millis(1)));
        assert!(ns >= 1e6, "{ns} ns for a sleep of a millisecond");
    }

    #[test]
    fn steps_in_turns_are_told_apart() {
        let sleep_us = |us| move || sleep(Duration::from_micros(us));
        let [first, second, ratio] = ns_in_turns(Duration::from_millis(40), sleep_us(3_000), sleep_us(100));
        assert!(first >= 3e6 && second >= 1e5 && ratio > 1.0, "{first} ns, {second} ns, {ratio} x");
    }
}
