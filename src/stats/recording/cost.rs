//! The time that a recording takes, measured while it goes on.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `began` | start-up, before the recording is shared (Relaxed) | nothing |
//! | `steps`, `nanos` | any thread that allocates or frees (Relaxed) | nothing |

use core::time::Duration;

use crate::layout::layout_of;
use crate::os;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// The time that the counting takes. All zeros are valid.
#[repr(C)]
pub(crate) struct Cost {
    /// The CPU time of the process when the recording began, in nanoseconds; 0 if it is not known.
    began: AtomicU64,
    steps: AtomicU64,
    /// Nanoseconds of the measured steps.
    nanos: AtomicU64,
}

/// The number of steps of which one is measured. A step is a part of an allocation or a free, and takes about as
/// long as reading the clock. The number is a prime, so that in a loop each step has its turn.
const STEPS: u64 = 61;

/// Whether the `n`th step is measured. The first ones are not, because they find all counters out of the cache.
fn is_measured(n: u64) -> bool {
    n % STEPS == STEPS - 1
}

/// The maximum nanoseconds that one step counts for. A longer one was interrupted.
const MAX_NANOS: u64 = 10_000;

/// The time that a recording took: see [`Advice::cost`](crate::Advice::cost).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RecordingCost {
    /// The time of the counting, estimated from one step in 61. That allocations take the slow path meanwhile is
    /// not in it.
    pub counting: Duration,
    /// The CPU time of all threads of the process since the recording began.
    pub process: Duration,
}

impl RecordingCost {
    /// Returns the share of the process's CPU time that the counting took, 0.0 to 1.0.
    #[must_use]
    pub fn share(&self) -> f64 {
        (self.counting.as_secs_f64() / self.process.as_secs_f64().max(f64::MIN_POSITIVE)).min(1.0)
    }
}

impl Cost {
    pub(super) const LAYOUT: u64 = layout_of!(Cost { began, steps, nanos });

    pub(super) fn begin(&self) {
        self.began.store(os::process_nanos().unwrap_or(0), Relaxed);
    }

    /// Runs a step of the counting, and measures it if it is its turn.
    #[inline]
    pub(crate) fn step(&self, step: impl FnOnce()) {
        if !is_measured(self.steps.fetch_add(1, Relaxed)) {
            return step();
        }
        // Two readings in a row tell how long a reading takes.
        let before = os::monotonic_nanos();
        let start = os::monotonic_nanos();
        step();
        let nanos = os::monotonic_nanos().saturating_sub(start);
        let reading = start.saturating_sub(before);
        self.nanos.fetch_add(nanos.saturating_sub(reading).min(MAX_NANOS), Relaxed);
    }

    /// Returns the cost so far. `None` if the system does not tell the time of the process, and in the child of a
    /// fork, whose time begins anew.
    pub(crate) fn so_far(&self) -> Option<RecordingCost> {
        let began = Some(self.began.load(Relaxed)).filter(|&began| began > 0)?;
        let process = os::process_nanos()?.checked_sub(began)?;
        let counting = self.nanos.load(Relaxed).saturating_mul(STEPS);
        Some(RecordingCost {
            counting: Duration::from_nanos(counting),
            process: Duration::from_nanos(process),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_a_loop_has_its_turn() {
        for steps in 2..12 {
            let mut measured = vec![0; steps as usize];
            (0..STEPS * steps * 10)
                .filter(|&n| is_measured(n))
                .for_each(|n| measured[(n % steps) as usize] += 1);
            assert!(measured.iter().all(|&times| times == 10), "{measured:?}");
        }
    }

    #[test]
    fn a_measured_step_stands_for_those_that_are_not() {
        let cost = Cost { began: AtomicU64::new(1), steps: AtomicU64::new(0), nanos: AtomicU64::new(100) };
        assert!(cost.so_far().is_none_or(|cost| cost.counting == Duration::from_nanos(6_100)));
    }
}
