//! The statistics as text: the table and its heading.

use core::fmt;

use super::{Bypass, ClassStats, Reservation, Stats, share};
use crate::slots::class::Class;
use crate::stats::units::{Amount, Bytes, Percent};

/// A [`Stats`] table with a heading: see [`Stats::named`].
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NamedStats<'a> {
    pub(super) stats: Stats,
    pub(super) name: &'a str,
}

impl fmt::Display for NamedStats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[buffer_pool] {} statistics:\n{}", self.name, self.stats)
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for class in Class::ALL {
            let ClassStats { slot_bytes, slots, hits, misses, peak, .. } = self.class(class);
            let percent = 100.0 * peak as f64 / slots.max(1) as f64;
            write!(f, "{class:<6} ({}): ", Bytes(slot_bytes))?;
            writeln!(f, "hits={hits} misses={misses} peak={peak}/{slots} ({percent:.1}%)")?;
        }
        if self.bypasses() > 0 {
            write!(f, "Bypasses:")?;
            for reason in Bypass::ALL.iter().filter(|&&reason| self.bypassed(reason) > 0) {
                write!(f, " {reason}={}", self.bypassed(*reason))?;
            }
            writeln!(f)?;
        }
        match self.reservation {
            Reservation::Failed(Some(limit)) => {
                writeln!(f, "Reservation denied by {limit}: everything goes to the fallback")?;
            }
            Reservation::Failed(None) => writeln!(f, "Reservation denied: everything goes to the fallback")?,
            Reservation::OffForValgrind => {
                writeln!(
                    f,
                    "Switched off at the start: valgrind runs the program (FRAMEPOOL=on keeps them on)"
                )?;
            }
            Reservation::Pending | Reservation::Ready => {}
        }
        writeln!(f, "Overall hit rate: {}", Percent(share(self.hits(), self.misses())))?;
        write!(f, "Pooled: {}", Percent(self.pooled_share()))?;
        if self.total_bytes() > 0 {
            write!(f, " of {} requested", Amount(self.total_bytes()))?;
        }
        self.too_large().map_or(Ok(()), |too_large| write!(f, "\n{too_large}"))
    }
}
