//! The requests that are not worth a slot.

use core::fmt;
use core::ops::Range;

use super::fit::{Cut, Cuts};
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
/// The last three concern only sizes that have no room in the slots of the run's table, nor in those of the default
/// table. They are judged class by class: if the largest class is not worth its slots, it is left out, or those of
/// its sizes that use more than half of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum UnservedReason {
    /// They are below the [floor](crate::Config::floor).
    BelowFloor,
    /// More blocks of one size live at once than a class may have [slots](crate::Config::MAX_SLOTS). A floor above
    /// it leaves out smaller sizes too.
    Crowded,
    /// There are fewer than 16 requests in the class.
    Rare,
    /// There are fewer than four requests for each block of the class that lives at once: the blocks stay.
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
        let (smallest, largest) = (lowest_size(first.bin), last.largest);
        let runs = sizes.chunk_by(|size, next| profile.has_none_between(size.bin, next.bin));
        let at_once = runs.map(|run| profile.max_at_once(run[0].bin..run[run.len() - 1].bin + 1)).sum();
        Some(Self { reason, requests, bytes, smallest, largest, at_once })
    }
}

/// Cuts the sizes into classes, and leaves out the largest ones as long as their class is not worth its slots. The
/// first `always_served` sizes are never left out. Returns the classes, and what is left out for each reason.
pub(super) fn cut_worthwhile(
    profile: &Profile,
    sizes: &[&Seen],
    always_served: usize,
    (floor, huge_pages): (usize, bool),
) -> (Vec<ClassAdvice>, Vec<Unserved>) {
    let mut end = sizes.partition_point(|seen| seen.largest <= LARGEST).max(always_served);
    let mut left = vec![(end..sizes.len(), UnservedReason::Huge)];
    let mut cuts = Cuts::new(profile, &sizes[..end], always_served, floor, huge_pages);
    let classes = loop {
        let Some(Cut { classes, largest }) = cuts.best(end) else { break Vec::new() };
        // A class is worth its slots if enough requests use at least half of one.
        let half = largest_slot(&classes) / 2;
        let large = sizes.partition_point(|seen| seen.largest <= half);
        let judged = largest.start.max(always_served).max(large).min(end)..end;
        match why_not(profile, &sizes[judged.clone()]) {
            None => break classes,
            Some(reason) => {
                end = judged.start;
                left.push((judged, reason));
            }
        }
    };
    if classes.is_empty() && end > 0 {
        // No four classes have room for what is worth a slot.
        return (classes, Vec::new());
    }
    // The slots of the largest class are rounded up, and may have room for more.
    let served = sizes.partition_point(|seen| seen.largest <= largest_slot(&classes));
    let unserved = [UnservedReason::Rare, UnservedReason::LongLived, UnservedReason::Huge].map(|reason| {
        let is_left = |at: &usize| *at >= served && has(&left, *at, reason);
        let sizes: Vec<_> = (0..sizes.len()).filter(is_left).map(|at| sizes[at]).collect();
        Unserved::of(profile, &sizes, reason)
    });
    (classes, unserved.into_iter().flatten().collect())
}

/// Returns the bytes of the largest slots that serve something.
pub(super) fn largest_slot(classes: &[ClassAdvice]) -> usize {
    classes.iter().filter(|class| class.peak > 0).map(|class| class.slot_bytes).max().unwrap_or(0)
}

fn has(left: &[(Range<usize>, UnservedReason)], at: usize, reason: UnservedReason) -> bool {
    left.iter().any(|(range, why)| *why == reason && range.contains(&at))
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

/// Writes a line such as `3 requests of 4,194,305 to 5,000,000 bytes (14.3 MiB together), at most 1 at once (4.8
/// MiB): in classes of fewer than 16 requests`.
impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, requests, bytes, smallest, largest, at_once } = *self;
        let plural = if requests == 1 { "" } else { "s" };
        write!(f, "{} request{plural} of ", Grouped(requests, ','))?;
        if matches!(reason, UnservedReason::BelowFloor | UnservedReason::Crowded) {
            f.write_str("up to ")?;
        } else if requests > 1 && smallest < largest {
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
            UnservedReason::Crowded => "more of one size live at once than a class may have slots",
            UnservedReason::Rare => "in classes of fewer than 16 requests",
            UnservedReason::LongLived => {
                "in classes of fewer than four requests for each block that lives at once"
            }
            UnservedReason::Huge => "more than 1 GiB",
        })
    }
}
