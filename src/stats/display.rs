//! The statistics as text: the table, its heading, and the units of sizes.

use core::fmt;

use super::{Bypass, ClassStats, Reservation, Stats};
use crate::slots::class::Class;

/// A [`Stats`] table with a heading: see [`Stats::named`].
#[derive(Clone, Copy, Debug)]
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
            for reason in Bypass::ALL.into_iter().filter(|&reason| self.bypassed(reason) > 0) {
                write!(f, " {reason}={}", self.bypassed(reason))?;
            }
            writeln!(f)?;
        }
        match self.reservation {
            Reservation::Failed(Some(limit)) => {
                writeln!(f, "Reservation denied by {limit}: everything goes to the fallback")?;
            }
            Reservation::Failed(None) => writeln!(f, "Reservation denied: everything goes to the fallback")?,
            _ => {}
        }
        write!(f, "Overall hit rate: {:.1}%", 100.0 * self.hit_rate())
    }
}

/// A size, written in the largest unit that divides it.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} B"),
        }
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
