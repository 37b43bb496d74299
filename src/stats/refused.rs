//! Refused requests, by reason and size: those that no pool served.
//!
//! A request is refused if it misses or bypasses the pools. Those of at least [`REFUSED_FROM`] bytes are
//! counted by powers of two as well as by reason. Smaller ones are the rest: a snapshot subtracts what is
//! counted by size from what is counted by reason.
//!
//! The counters by size are the thread's own, as all others are: see decision 17 in `ARCHITECTURE.md`. Only what
//! belongs to all threads together is shared: sizes are compared with the largest so far, which rarely changes,
//! and live blocks above the slots of XLarge are counted.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `Cell` | the owner (store, Relaxed); in the shared group any thread (addition, Relaxed) | nothing |
//! | `RefusedShared` | any thread (additions and maxima, Relaxed) | nothing |

use core::fmt;

use super::Stats;
use crate::fatal::invariant;
use crate::layout::{layout_of, mix_all};
use crate::stats::add::{Add, raise};
use crate::stats::level::Level;
use crate::stats::reasons::{REASONS, Refusal};
use crate::stats::units::{Amount, Bytes};
use crate::sync::{AtomicU64, Ordering::Relaxed};
use crate::tunables::{REFUSED_BUCKETS, REFUSED_FROM};

/// The refused requests of a range of sizes, for one reason: see [`Stats::refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RefusedSizes {
    /// The smallest size of the range, in bytes: 0, 16 KiB, 32 KiB and so on to 256 MiB.
    pub from_bytes: u64,
    /// The reason.
    pub reason: Refusal,
    /// The number of requests that the fallback served.
    pub requests: u64,
    /// Bytes of these requests together.
    pub bytes: u64,
    /// Bytes of the largest of these requests. 0 in the range below 16 KiB, where it is not counted. In a
    /// [difference](Stats::since) it is the largest so far.
    pub largest: u64,
    /// The number of requests that got no memory at all: the fallback had none either, or was not asked.
    pub failed: u64,
}

impl RefusedSizes {
    /// Returns the first size above the range, in bytes; `None` if the range has no end.
    #[must_use]
    pub fn below_bytes(&self) -> Option<u64> {
        let below = self.from_bytes.max(REFUSED_FROM as u64 / 2) * 2;
        (self.from_bytes < from_bytes(REFUSED_BUCKETS - 1)).then_some(below)
    }
}

/// Writes a line such as `300 requests of 2 MiB to 4 MiB (889.9 MiB together): too large`. The bytes are those that
/// the fallback served.
impl fmt::Display for RefusedSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_bytes, reason, requests, bytes, failed, .. } = *self;
        let all = requests + failed;
        write!(f, "{all} request{} ", if all == 1 { "" } else { "s" })?;
        match self.below_bytes() {
            Some(below) if from_bytes == 0 => write!(f, "below {}", Bytes(below))?,
            Some(below) => write!(f, "of {} to {}", Bytes(from_bytes), Bytes(below))?,
            None => write!(f, "of {} and more", Bytes(from_bytes))?,
        }
        write!(f, " ({} together): {reason}", Amount(bytes))?;
        if failed > 0 { write!(f, ", {failed} without any memory") } else { Ok(()) }
    }
}

/// The number of ranges from [`REFUSED_FROM`] bytes on.
const BIG_BUCKETS: usize = REFUSED_BUCKETS - 1;

/// Returns which of the ranges from [`REFUSED_FROM`] bytes on a size lies in.
fn big_bucket_of(bytes: usize) -> usize {
    invariant!(bytes >= REFUSED_FROM, "small sizes have one range");
    ((bytes.ilog2() - REFUSED_FROM.ilog2()) as usize).min(BIG_BUCKETS - 1)
}

/// Returns which range a size lies in.
fn bucket_of(bytes: usize) -> usize {
    if bytes < REFUSED_FROM { 0 } else { 1 + big_bucket_of(bytes) }
}

/// Returns the smallest size of a range.
const fn from_bytes(bucket: usize) -> u64 {
    if bucket == 0 { 0 } else { (REFUSED_FROM as u64) << (bucket - 1) }
}

/// The counters of one range and reason.
#[repr(C)]
struct Cell {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// The counters of refused requests of at least [`REFUSED_FROM`] bytes, by size and reason. All zeros are valid.
#[repr(transparent)]
pub(crate) struct RefusedBySize([[Cell; REASONS]; BIG_BUCKETS]);

impl RefusedBySize {
    pub(crate) const LAYOUT: u64 =
        mix_all(&[size_of::<Self>() as u64, REASONS as u64, layout_of!(Cell { requests, bytes })]);

    pub(crate) const fn new() -> Self {
        Self(
            [const { [const { Cell { requests: AtomicU64::new(0), bytes: AtomicU64::new(0) } }; REASONS] };
                BIG_BUCKETS],
        )
    }

    /// Counts a request that the fallback served, with the addition that is right for these counters.
    pub(crate) fn count(&self, reason: Refusal, bytes: usize, add: Add) {
        let cell = &self.0[big_bucket_of(bytes)][reason.index()];
        add(&cell.requests, 1);
        add(&cell.bytes, bytes as u64);
    }

    /// Moves what is counted here from the first range of a table, which has the requests of all sizes, to the
    /// range that it belongs to.
    pub(crate) fn add_to(&self, table: &mut RefusedTable) {
        let [first, large @ ..] = &mut table.0;
        for (cells, sums) in self.0.iter().zip(large) {
            for ((cell, sum), first) in cells.iter().zip(sums).zip(&mut *first) {
                let (requests, bytes) = (cell.requests.load(Relaxed), cell.bytes.load(Relaxed));
                first.subtract(requests, bytes);
                sum.requests = sum.requests.wrapping_add(requests);
                sum.bytes = sum.bytes.wrapping_add(bytes);
            }
        }
    }
}

/// The counters of refused requests that all threads share. All zeros are valid.
#[repr(C)]
pub(crate) struct RefusedShared {
    /// Bytes of the largest request of at least [`REFUSED_FROM`] bytes.
    largest: [[AtomicU64; REASONS]; BIG_BUCKETS],
    /// Requests that got no memory at all.
    failed: [[AtomicU64; REASONS]; REFUSED_BUCKETS],
    /// Live blocks of the fallback that are too large for every slot.
    pub(crate) too_large: Level,
}

impl RefusedShared {
    pub(crate) const LAYOUT: u64 =
        mix_all(&[layout_of!(RefusedShared { largest, failed, too_large }), Level::LAYOUT]);

    pub(crate) const fn new() -> Self {
        Self {
            largest: [const { [const { AtomicU64::new(0) }; REASONS] }; BIG_BUCKETS],
            failed: [const { [const { AtomicU64::new(0) }; REASONS] }; REFUSED_BUCKETS],
            too_large: Level::new(),
        }
    }

    /// Notes the size of a request of at least [`REFUSED_FROM`] bytes.
    pub(crate) fn note_size(&self, reason: Refusal, bytes: usize) {
        raise(&self.largest[big_bucket_of(bytes)][reason.index()], bytes as u64);
    }

    /// Counts a request that got no memory at all.
    pub(crate) fn count_failed(&self, reason: Refusal, bytes: usize) {
        self.failed[bucket_of(bytes)][reason.index()].fetch_add(1, Relaxed);
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        let [_, big @ ..] = &mut stats.refused.0;
        for (largest, sum) in self.largest.iter().flatten().zip(big.iter_mut().flatten()) {
            sum.largest = sum.largest.max(largest.load(Relaxed));
        }
        for (failed, bucket) in self.failed.iter().zip(0..) {
            for (failed, reason) in failed.iter().zip(0..) {
                let failed = failed.load(Relaxed);
                stats.refused.0[0][reason].subtract(failed, 0);
                let sum = &mut stats.refused.0[bucket][reason].failed;
                *sum = sum.wrapping_add(failed);
            }
        }
        stats.too_large_peak = stats.too_large_peak.max(self.too_large.max() as u64);
    }
}

/// The sums of one range and reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    largest: u64,
    failed: u64,
}

impl Sums {
    /// Subtracts, down to 0: threads may have counted in one place and not yet in the other.
    fn subtract(&mut self, requests: u64, bytes: u64) {
        self.requests = self.requests.saturating_sub(requests);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// The refused requests of a snapshot.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RefusedTable([[Sums; REASONS]; REFUSED_BUCKETS]);

impl RefusedTable {
    /// The sums of the first range: of all sizes, until the shared counters are added.
    pub(crate) fn first(&mut self, reason: Refusal) -> &mut Sums {
        &mut self.0[0][reason.index()]
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().flatten().fold(0, |sum, cell| sum.wrapping_add(cell.bytes))
    }

    pub(crate) fn failed(&self) -> u64 {
        self.0.iter().flatten().map(|sums| sums.failed).sum()
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut table = *self;
        for (sums, earlier) in table.0.iter_mut().flatten().zip(earlier.0.iter().flatten()) {
            sums.subtract(earlier.requests, earlier.bytes);
            sums.failed = sums.failed.saturating_sub(earlier.failed);
        }
        table
    }

    /// Iterates over the ranges and reasons that had requests, from small sizes to large ones.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RefusedSizes> {
        let rows = self.0.iter().zip((0..REFUSED_BUCKETS).map(from_bytes));
        let cells = rows.flat_map(|(row, from_bytes)| {
            row.iter().zip(Refusal::ALL).map(move |(&Sums { requests, bytes, largest, failed }, &reason)| {
                RefusedSizes { from_bytes, reason, requests, bytes, largest, failed }
            })
        });
        cells.filter(|sizes| sizes.requests + sizes.failed > 0)
    }
}

impl fmt::Debug for RefusedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RefusedTable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

const _: () = assert!(
    REFUSED_FROM.is_power_of_two() && REFUSED_BUCKETS > 1,
    "make REFUSED_FROM a power of two, and let there be ranges above it"
);
