//! How long it takes until a frame is ready: allocated and written.
//!
//! The samples lie in a static array, so that keeping them asks no allocator for anything.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

const MAX: usize = 4_096;

static SAMPLES_NS: [AtomicU32; MAX] = [const { AtomicU32::new(0) }; MAX];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Makes a frame, and keeps how long that took.
///
/// # Panics
///
/// There have been too many samples.
pub(crate) fn time<T>(make: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let made = make();
    let ns = start.elapsed().as_nanos();
    let at = TAKEN.fetch_add(1, Ordering::Relaxed);
    SAMPLES_NS[at].store(u32::try_from(ns).unwrap_or(u32::MAX), Ordering::Relaxed);
    made
}

/// All samples of the process; printed as their number, p50 and p99.9 in microseconds: `1050 200.1 900.2`.
pub(crate) struct Samples(Vec<u32>);

impl Samples {
    /// Returns the samples; `None` if the program times no frames. All threads that timed any have ended.
    pub(crate) fn all() -> Option<Self> {
        let taken = TAKEN.load(Ordering::Relaxed);
        let mut ns: Vec<_> =
            SAMPLES_NS[..taken].iter().map(|sample| sample.load(Ordering::Relaxed)).collect();
        ns.sort_unstable();
        (taken != 0).then_some(Self(ns))
    }

    fn percentile_us(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        f64::from(self.0[rank.max(1) - 1]) / 1e3
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99_9) = (self.percentile_us(50.0), self.percentile_us(99.9));
        write!(f, "{} {p50} {p99_9}", self.0.len())
    }
}
