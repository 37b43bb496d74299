//! The requests that are not worth a slot.

use core::fmt;

use super::fit::{Cut, Needs};
use super::{ClassAdvice, Demand};
use crate::config::sizing::USES_PER_SLOT;
use crate::stats::recording::{Profile, Seen, lowest_size};
use crate::stats::units::{Amount, Grouped};

/// Requests that the advised table leaves to the fallback, for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Unserved {
    /// The reason.
    pub reason: UnservedReason,
    /// The number of requests.
    pub requests: u64,
    /// Bytes of these requests together.
    pub bytes: u64,
    /// Bytes of the smallest request, or up to 1/64 less.
    pub smallest: usize,
    /// Bytes of the largest request.
    pub largest: usize,
    /// The maximum number of their blocks that lived at once, or an upper bound of it.
    pub at_once: usize,
}

/// The reason why requests are not worth a slot.
///
/// All but the first concern only sizes that have no room in the slots of the run's table, nor in those of the
/// default table. They are judged class by class: if the largest class is not worth its slots, it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum UnservedReason {
    /// They are below the [floor](crate::Config::floor).
    BelowFloor,
    /// There are fewer than 16 requests.
    Rare,
    /// There are fewer than four requests for each block that lives at once: the blocks stay.
    LongLived,
    /// A request is larger than 1 GiB.
    Huge,
}

/// The minimum number of requests that makes larger slots worthwhile.
pub(super) const MANY: u64 = 16;

/// The maximum size in bytes that is worth a slot. Larger requests are address space that the program manages
/// itself.
pub(super) const LARGEST: usize = 1 << 30;

impl Unserved {
    /// Returns these sizes as left out; `None` if there are none.
    pub(super) fn of(profile: &Profile, sizes: &[&Seen], reason: UnservedReason) -> Option<Self> {
        let (first, last) = (sizes.first()?, sizes.last()?);
        let Demand { requests, bytes } = Demand::of(sizes);
        let at_once = profile.max_at_once(first.bin..last.bin + 1);
        let (smallest, largest) = (lowest_size(first.bin), last.largest);
        Some(Self { reason, requests, bytes, smallest, largest, at_once })
    }
}

/// Cuts the sizes into classes, and leaves out the largest ones as long as their class is not worth its slots. The
/// first `kept` sizes are never left out. Without a table, nothing is said to be left out.
pub(super) fn cut_worthwhile(needs: Needs<'_>, kept: usize) -> (Vec<ClassAdvice>, Vec<Unserved>) {
    let Needs { profile, served: sizes, .. } = needs;
    let mut end = sizes.partition_point(|seen| seen.largest <= LARGEST);
    let mut left = vec![(end..sizes.len(), UnservedReason::Huge)];
    loop {
        let needs = Needs { served: &sizes[..end], ..needs };
        let Some(Cut { classes, largest }) = needs.cut() else {
            return (Vec::new(), Vec::new());
        };
        let judged = largest.start.max(kept).min(end)..end;
        if let Some(reason) = why_not(profile, &sizes[judged.clone()]) {
            end = judged.start;
            left.push((judged, reason));
            continue;
        }
        // The slots of the largest class are rounded up, and may have room for more.
        let top = classes.iter().filter(|class| class.peak > 0).map(|class| class.slot_bytes).max();
        let served = sizes.partition_point(|seen| Some(seen.largest) <= top);
        let unserved = left.into_iter().rev().filter_map(|(left, reason)| {
            Unserved::of(profile, &sizes[left.start.max(served).min(left.end)..left.end], reason)
        });
        return (classes, unserved.collect());
    }
}

/// Returns why these sizes are not worth slots; `None` if they are, or if there are none.
fn why_not(profile: &Profile, sizes: &[&Seen]) -> Option<UnservedReason> {
    let Unserved { requests, at_once, .. } = Unserved::of(profile, sizes, UnservedReason::Rare)?;
    if requests < MANY {
        Some(UnservedReason::Rare)
    } else if requests < USES_PER_SLOT * at_once as u64 {
        Some(UnservedReason::LongLived)
    } else {
        None
    }
}

/// Writes a line such as `3 requests of 4,194,305 to 5,000,000 bytes (14.3 MiB), at most 1 at once (4.8 MiB): fewer
/// than 16`.
impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, requests, bytes, smallest, largest, at_once } = *self;
        let plural = if requests == 1 { "" } else { "s" };
        write!(f, "{} request{plural} of ", Grouped(requests, ','))?;
        if reason == UnservedReason::BelowFloor {
            f.write_str("up to ")?;
        } else if requests > 1 {
            write!(f, "{} to ", Grouped(smallest as u64, ','))?;
        }
        let memory = at_once.saturating_mul(largest) as u64;
        write!(
            f,
            "{} bytes ({} together), at most {} at once ({}): {reason}",
            Grouped(largest as u64, ','),
            Amount(bytes),
            Grouped(at_once as u64, ','),
            Amount(memory)
        )
    }
}

impl fmt::Display for UnservedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnservedReason::BelowFloor => "the fallback serves small objects as quickly",
            UnservedReason::Rare => "fewer than 16 requests",
            UnservedReason::LongLived => "fewer than four requests for each block that lives at once",
            UnservedReason::Huge => "more than 1 GiB",
        })
    }
}
