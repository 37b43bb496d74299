//! Resident memory over time, and whether it grew after the first minute.
//!
//! The slots' own memory is printed, but it does not count as growth. A slot becomes resident on its first
//! use, in a minute that chance decides. All slots together never exceed what the table reserves. All other
//! resident memory must stay as it is.

use std::fmt;
use std::time::Duration;

use framepool::PoolAlloc;

use crate::figures::MIB;
use crate::spread::Spread;
use crate::usage::Now;

/// The minimum of growth that is an error, in MiB.
///
/// In nine minutes after the first one, memory other than slots varied by at most 0.2 MiB. It consists of the
/// meter's cells, which the first 256 threads take, stacks of threads, and glibc's arenas, which serve few
/// requests here. With a table that is too small the arenas serve more, and medians over one or two seconds
/// differed by up to 0.8 MiB. A leak of 2 KiB a second exceeds this in half an hour. A leak of 2 KiB with
/// each frame exceeds it within seconds.
const ALLOWED_MIB: f64 = 2.0;

/// The resident memory, in MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Resident {
    pub(super) slots: f64,
    pub(super) rest: f64,
}

impl Resident {
    /// Returns the resident memory now and the number of threads, or `None` if the system does not report
    /// them.
    pub(super) fn now(pool: &PoolAlloc) -> Option<(Self, u64)> {
        let slots = pool.residency().resident_bytes as f64 / MIB;
        let Now { resident_bytes, threads } = Now::read()?;
        Some((Self { slots, rest: resident_bytes as f64 / MIB - slots }, threads))
    }

    pub(super) fn total(self) -> f64 {
        self.slots + self.rest
    }
}

impl fmt::Display for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB of slots and {:.1} MiB of all else", self.slots, self.rest)
    }
}

/// The samples of resident memory, with their times.
pub(super) struct Memory {
    total: Duration,
    warm_up: Duration,
    samples: Vec<(Duration, Resident)>,
}

/// The medians of two stretches of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    pub(super) first: Resident,
    pub(super) last: Resident,
}

impl Memory {
    /// A list with room for two samples in each `interval`.
    pub(super) fn new(total: Duration, warm_up: Duration, interval: Duration) -> Self {
        let samples = total.as_secs_f64() / interval.as_secs_f64();
        Self { total, warm_up, samples: Vec::with_capacity(2 * samples as usize) }
    }

    pub(super) fn add(&mut self, at: Duration, resident: Resident) {
        // The list never grows, so the program's own memory stays constant.
        if self.samples.len() < self.samples.capacity() {
            self.samples.push((at, resident));
        }
    }

    /// Compares the stretch after the warm-up, of the same length, with the last fifth of the time. Returns
    /// `None` if either has no sample.
    pub(super) fn growth(&self) -> Option<Growth> {
        let within = |from: Duration, to: Duration| {
            let median = |part: fn(&Resident) -> f64| {
                let samples = self.samples.iter().filter(|&&(at, _)| from <= at && at < to);
                Spread::of(samples.map(|(_, resident)| part(resident))).map(|spread| spread.median)
            };
            Some(Resident { slots: median(|part| part.slots)?, rest: median(|part| part.rest)? })
        };
        let first = within(self.warm_up, 2 * self.warm_up)?;
        Some(Growth { first, last: within(self.total * 4 / 5, Duration::MAX)? })
    }
}

impl Growth {
    /// Whether the growth is more than allowed.
    pub(super) fn is_too_much(&self) -> bool {
        self.last.rest - self.first.rest > ALLOWED_MIB
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resident were {} at first, {} at last", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the growth of memory that grows by that many MiB a second from 100 MiB on, over ten minutes.
    /// In the first minute it starts lower.
    fn growth(slots: f64, rest: f64) -> Growth {
        let second = Duration::from_secs(1);
        let mut memory = Memory::new(600 * second, 60 * second, second);
        for at in 0..600 {
            let settled = if at < 60 { 7.0 } else { 100.0 };
            let grown = |by: f64| settled + f64::from(at) * by;
            memory.add(at * second, Resident { slots: grown(slots), rest: grown(rest) });
        }
        memory.growth().expect("samples")
    }

    #[test]
    fn what_grows_after_the_first_minute_is_found() {
        let steady = Resident { slots: 100.0, rest: 100.0 };
        assert_eq!(growth(0.0, 0.0), Growth { first: steady, last: steady });
        assert!(!growth(0.0, 0.001).is_too_much() && growth(0.0, 0.01).is_too_much());
        assert!(!growth(0.1, 0.0).is_too_much(), "slots are first used at any time");
    }

    #[test]
    fn without_samples_nothing_is_said() {
        let minute = Duration::from_secs(60);
        assert_eq!(Memory::new(minute, minute / 4, minute / 60).growth(), None);
    }
}
