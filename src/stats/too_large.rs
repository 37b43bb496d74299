//! Requests that are larger than every slot, and the class that would have served them.

use core::fmt;

use super::{Bypass, Refusal, Stats};
use crate::config::Config;
use crate::config::sizing::{USES_PER_SLOT, slot_bytes_for, with_headroom};
use crate::slots::class::{Class, SLOT_STEP};
use crate::stats::units::{Bytes, Grouped};
use crate::tunables::REFUSED_FROM;

/// The requests that were larger than a slot of XLarge, and got a block of the fallback: see
/// [`Stats::too_large`].
///
/// `Display` writes one line. If there is a class that would have served them, it ends with the calls to add to the
/// [`Config`]:
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
    /// Bytes of the largest request so far. 0 if XLarge has slots below 16 KiB, because smaller sizes are not
    /// known one by one.
    pub largest: u64,
    /// The maximum number of blocks of the fallback above the slots of XLarge that were live at once so far, for
    /// whatever reason the fallback served them, [unpooled](crate::PoolAlloc::unpooled) ones included. 0 if XLarge
    /// has slots below 16 KiB.
    pub at_once: u64,
    /// Bytes of a slot of XLarge.
    pub slot_bytes: u64,
    /// Bytes of a slot and number of slots that XLarge needs to serve them beside its own blocks.
    ///
    /// The slots are as large as 99 % of the requests need, and 12 % more than were live at once. `None` if the
    /// requests do not repeat (fewer than four for each block that was live at once), if no class may have that
    /// many or that large slots, or if `largest` is not known.
    pub needed: Option<(usize, usize)>,
    /// Whether XLarge holds back more slots than it needs, so that the hold-back has to go.
    drops_hold_back: bool,
}

/// The share of the requests, one in this many, that a few very large ones may be. The advised slot is not made
/// for those.
const OUTLIERS: u64 = 100;

impl Stats {
    /// Returns the requests that were larger than every slot; `None` if the fallback served none.
    #[must_use]
    pub fn too_large(&self) -> Option<TooLarge> {
        let xlarge = self.class(Class::XLarge);
        // While threads are busy, the first range may have requests of other ranges.
        let is_known = xlarge.slot_bytes >= REFUSED_FROM as u64;
        let all = || {
            let all = self.refused().filter(|sizes| sizes.reason == Refusal::Bypass(Bypass::TooLarge));
            all.filter(|sizes| sizes.requests > 0 && (sizes.from_bytes > 0 || !is_known))
        };
        let requests: u64 = all().map(|sizes| sizes.requests).sum();
        if requests == 0 {
            return None;
        }
        let (mut seen, mut usual) = (0, 0);
        for sizes in all() {
            if seen * OUTLIERS < requests * (OUTLIERS - 1) {
                usual = sizes.largest;
            }
            seen += sizes.requests;
        }
        let at_once = if is_known { self.too_large_peak } else { 0 };
        let repeats = at_once > 0 && requests >= at_once.saturating_mul(USES_PER_SLOT);
        let needed = self.needed(usual, at_once + xlarge.peak).filter(|_| repeats);
        Some(TooLarge {
            requests,
            bytes: all().fold(0, |sum: u64, sizes| sum.wrapping_add(sizes.bytes)),
            largest: if is_known { all().map(|sizes| sizes.largest).max().unwrap_or(0) } else { 0 },
            at_once,
            slot_bytes: xlarge.slot_bytes,
            needed,
            drops_hold_back: needed.is_some_and(|(_, slots)| xlarge.held_back_slots > slots as u64),
        })
    }

    /// Returns the slots for blocks of up to `bytes` bytes, `at_once` of them, if XLarge may have those beside the
    /// other classes.
    fn needed(&self, bytes: u64, at_once: u64) -> Option<(usize, usize)> {
        let (bytes, at_once) = (usize::try_from(bytes).ok()?, usize::try_from(at_once).ok()?);
        let (slot_bytes, slots) = (slot_bytes_for(bytes, SLOT_STEP, false), with_headroom(at_once));
        let table = self.classes().fold(Config::new(), |config, (class, stats)| {
            config.class(class, stats.slot_bytes as usize, stats.slots as usize).hold_back(class, 0, 0)
        });
        table.class(Class::XLarge, slot_bytes, slots).validate().ok().map(|()| (slot_bytes, slots))
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, largest, at_once, slot_bytes, needed, drops_hold_back, .. } = *self;
        let plural = if requests == 1 { "" } else { "s" };
        write!(f, "{requests} request{plural} too large for XLarge ({})", Bytes(slot_bytes))?;
        if largest > 0 {
            write!(f, ", largest {} bytes, {at_once} at once", Grouped(largest, ','))?;
        }
        let Some((slot_bytes, slots)) = needed else { return Ok(()) };
        let (slot_bytes, slots) = (Grouped(slot_bytes as u64, '_'), Grouped(slots as u64, '_'));
        write!(f, "; try .class(Class::XLarge, {slot_bytes}, {slots})")?;
        if drops_hold_back { f.write_str(".hold_back(Class::XLarge, 0, 0)") } else { Ok(()) }
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
        assert_eq!(stats.needed(3 << 20, 12), Some(((3 << 20) + 4_096, 14)));
        assert_eq!(stats.needed(3 << 20, Config::MAX_SLOTS as u64), None);
        assert_eq!(stats.needed(u64::MAX, 1), None);
    }
}
