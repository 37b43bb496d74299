//! Requests that are larger than every slot, and the class that would have served them.

use core::fmt;

use super::{Bypass, Refusal, Stats};
use crate::config::Config;
use crate::config::sizing::{USES_PER_SLOT, step, with_headroom};
use crate::slots::class::Class;
use crate::stats::units::{Bytes, Grouped};

/// The requests that were larger than a slot of XLarge: see [`Stats::too_large`].
///
/// `Display` writes one line, with a line for the [`Config`] that would have served them, if there is one:
///
/// ```text
/// 300 requests too large for XLarge (2 MiB), largest 3,110,400 bytes, 12 at once; try .class(Class::XLarge, 3_112_960, 14)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TooLarge {
    /// The number of requests.
    pub requests: u64,
    /// Bytes of all requests together.
    pub bytes: u64,
    /// Bytes of the largest request so far.
    pub largest: u64,
    /// The maximum number of their blocks that were live at once so far.
    pub at_once: u64,
    /// Bytes of a slot of XLarge.
    pub slot_bytes: u64,
    /// Bytes of a slot and number of slots that XLarge needs to serve them beside its own blocks.
    ///
    /// `None` if a slot would not pay, because there were fewer than four requests for each block that was live at
    /// once, or if no class may have that many or that large slots.
    pub needed: Option<(usize, usize)>,
}

/// The share of the requests, one in this many, that a few very large ones may be. The advised slot is not made
/// for those.
const OUTLIERS: u64 = 100;

impl Stats {
    /// Returns the requests that were larger than every slot; `None` if there were none.
    ///
    /// The advised slots are as large as 99 % of the requests need, and 12 % more than were live at once.
    pub fn too_large(&self) -> Option<TooLarge> {
        let all = || self.refused().filter(|sizes| sizes.reason == Refusal::Bypass(Bypass::TooLarge));
        let requests: u64 = all().map(|sizes| sizes.requests).sum();
        let (mut seen, mut usual, mut largest, mut bytes) = (0, 0, 0, 0_u64);
        for sizes in all() {
            if seen * OUTLIERS < requests * (OUTLIERS - 1) {
                // Sizes below the first range's end are not known one by one.
                usual = sizes.largest.max(sizes.below_bytes().filter(|_| sizes.from_bytes == 0).unwrap_or(0));
            }
            largest = largest.max(usual).max(sizes.largest);
            seen += sizes.requests;
            bytes = bytes.wrapping_add(sizes.bytes);
        }
        let xlarge = self.class(Class::XLarge);
        (requests > 0).then(|| TooLarge {
            requests,
            bytes,
            largest,
            at_once: self.too_large_peak,
            slot_bytes: xlarge.slot_bytes,
            needed: (requests >= self.too_large_peak.saturating_mul(USES_PER_SLOT))
                .then(|| self.needed(usual, self.too_large_peak + xlarge.peak))
                .flatten(),
        })
    }

    /// Returns the slots for blocks of up to `bytes` bytes, `at_once` of them, if XLarge may have those beside the
    /// other classes.
    fn needed(&self, bytes: u64, at_once: u64) -> Option<(usize, usize)> {
        let (bytes, at_once) = (usize::try_from(bytes).ok()?, usize::try_from(at_once).ok()?);
        let (slot_bytes, slots) = (bytes.checked_next_multiple_of(step(bytes))?, with_headroom(at_once));
        let table = self.classes().fold(Config::new(), |config, (class, stats)| {
            config.class(class, stats.slot_bytes as usize, stats.slots as usize).hold_back(class, 0, 0)
        });
        table.class(Class::XLarge, slot_bytes, slots).validate().ok().map(|()| (slot_bytes, slots))
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, largest, at_once, slot_bytes, needed, .. } = *self;
        let plural = if requests == 1 { "" } else { "s" };
        write!(
            f,
            "{requests} request{plural} too large for XLarge ({}), largest {} bytes, {at_once} at once",
            Bytes(slot_bytes),
            Grouped(largest, ',')
        )?;
        let Some((slot_bytes, slots)) = needed else { return Ok(()) };
        let (slot_bytes, slots) = (Grouped(slot_bytes as u64, '_'), Grouped(slots as u64, '_'));
        write!(f, "; try .class(Class::XLarge, {slot_bytes}, {slots})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::ClassStats;

    #[test]
    fn a_table_that_no_class_can_have_is_not_advised() {
        let table = [(1 << 10, 1_024), (64 << 10, 64), (256 << 10, 32), (2 << 20, 64)];
        let classes =
            table.map(|(slot_bytes, slots)| ClassStats { slot_bytes, slots, ..ClassStats::default() });
        let stats = Stats { classes, ..Stats::default() };
        assert_eq!(stats.needed(3 << 20, 12), Some((3 << 20, 14)));
        assert_eq!(stats.needed(3 << 20, Config::MAX_SLOTS as u64), None);
        assert_eq!(stats.needed(u64::MAX, 1), None);
    }
}
