//! A report on the slots' memory: what it consists of right now, and what the system denied to do for it. It
//! is `Copy`.
//!
//! Every figure is read back from the system (P13). None repeats what was requested. A figure is true of the
//! moment at which it was read: pages come and go with allocations, `trim`, and the system's need for memory.

use core::fmt;
use core::time::Duration;
use std::io;
use std::time::Instant;

use crate::os::Errno;

/// A request to the system about the slots' memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MemoryOption {
    /// Huge pages: [`Config::huge_pages(true)`](crate::Config::huge_pages).
    HugePages,
    /// Small pages only: `Config::huge_pages(false)`, the default.
    SmallPages,
    /// No slot in core dumps: [`Config::core_dumps(false)`](crate::Config::core_dumps).
    NoCoreDumps,
    /// No page of a slot ever paged out: [`Config::lock_memory(true)`](crate::Config::lock_memory).
    Lock,
    /// Every page resident: [`Config::prefault(true)`](crate::Config::prefault) at start-up, and
    /// [`prewarm`](crate::PoolAlloc::prewarm).
    Resident,
    /// The figures of the report. If they are denied as a whole, all are 0. Without `/proc`, Linux still
    /// reports the resident bytes.
    Figures,
}

/// The number of options.
pub(crate) const MEMORY_OPTIONS: usize = MemoryOption::ALL.len();

impl MemoryOption {
    /// Every option.
    pub const ALL: &'static [MemoryOption] = &[
        MemoryOption::HugePages,
        MemoryOption::SmallPages,
        MemoryOption::NoCoreDumps,
        MemoryOption::Lock,
        MemoryOption::Resident,
        MemoryOption::Figures,
    ];

    /// Returns the option's name, in lower-case words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            MemoryOption::HugePages => "huge pages",
            MemoryOption::SmallPages => "small pages only",
            MemoryOption::NoCoreDumps => "no core dumps",
            MemoryOption::Lock => "locked memory",
            MemoryOption::Resident => "resident memory",
            MemoryOption::Figures => "figures",
        }
    }
}

/// Serializes the name.
#[cfg(feature = "serde")]
impl serde::Serialize for MemoryOption {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for MemoryOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A report on the slots' memory: how much of it is resident, in huge pages, and locked, and which requests
/// were denied. See [`PoolAlloc::prewarm`](crate::PoolAlloc::prewarm) and
/// [`PoolAlloc::residency`](crate::PoolAlloc::residency).
///
/// All zeros while there are no pools. Its `Display` is a line of figures, and one for each option that was
/// denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Residency {
    /// Bytes of all pages that the slots lie in: [`Config::reserved_bytes`](crate::Config::reserved_bytes),
    /// with each class rounded up to whole pages.
    pub reserved_bytes: u64,
    /// Bytes of `reserved_bytes` that have memory of their own, so that writing there causes no page fault.
    pub resident_bytes: u64,
    /// Bytes of `resident_bytes` in huge pages.
    pub huge_bytes: u64,
    /// Bytes of `resident_bytes` that the system may not page out.
    pub locked_bytes: u64,
    /// Bytes of a huge page: 2 MiB on x86-64, 32 or 512 MiB where small pages have 16 or 64 KiB. Only slots that fill a
    /// huge page from its first byte to its last can lie in one. 0 if the system has none, or does not tell.
    pub huge_page_bytes: u64,
    /// The time that the requests and the reading of the figures took.
    pub elapsed: Duration,
    /// A bit for each option.
    pub(crate) requested: u8,
    /// The [`Errno::code_of`] of each option's last outcome.
    pub(crate) denied: [i32; MEMORY_OPTIONS],
}

impl Residency {
    /// Returns the report of `ask`, with the time that `ask` took.
    pub(crate) fn timed(ask: impl FnOnce() -> Self) -> Self {
        let begun = Instant::now();
        let residency = ask();
        Self { elapsed: begun.elapsed(), ..residency }
    }

    /// Returns whether this option was ever requested of the system, by the configuration or by a call.
    #[must_use]
    pub fn requested(&self, option: MemoryOption) -> bool {
        self.requested & 1 << option as u8 != 0
    }

    /// Returns why the system denied this option at the last request, in part or as a whole; `None` if it did
    /// not.
    ///
    /// On a system without such a request, the error's kind is [`Unsupported`](io::ErrorKind::Unsupported). A
    /// request that is not denied may still fall short: the figures show it.
    pub fn denied(&self, option: MemoryOption) -> Option<io::Error> {
        Errno::from_code(self.denied[option as usize]).map(Errno::to_error)
    }
}

impl fmt::Display for Residency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
        let percent = 100.0 * self.resident_bytes as f64 / self.reserved_bytes.max(1) as f64;
        write!(
            f,
            "Residency: resident={:.1}/{:.1} MiB ({percent:.1}%) huge={:.1} MiB (of {} KiB) locked={:.1} MiB in {:.1} ms",
            mib(self.resident_bytes),
            mib(self.reserved_bytes),
            mib(self.huge_bytes),
            self.huge_page_bytes >> 10,
            mib(self.locked_bytes),
            self.elapsed.as_secs_f64() * 1e3,
        )?;
        for &option in MemoryOption::ALL {
            if let Some(error) = self.denied(option) {
                write!(f, "\nDenied: {option}: {error}")?;
            }
        }
        Ok(())
    }
}

/// Serializes the figures, `elapsed_ns`, and the names of the options that were `requested` and `denied`.
#[cfg(feature = "serde")]
impl serde::Serialize for Residency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let requested =
            MemoryOption::ALL.iter().filter(|&&option| self.requested(option)).map(|option| option.name());
        let requested: Vec<_> = requested.collect();
        let denied = |option: MemoryOption| Some((option.name(), self.denied(option)?.to_string()));
        let denied: std::collections::BTreeMap<_, _> =
            MemoryOption::ALL.iter().copied().filter_map(denied).collect();
        let mut fields = serializer.serialize_struct("Residency", 8)?;
        fields.serialize_field("reserved_bytes", &self.reserved_bytes)?;
        fields.serialize_field("resident_bytes", &self.resident_bytes)?;
        fields.serialize_field("huge_bytes", &self.huge_bytes)?;
        fields.serialize_field("locked_bytes", &self.locked_bytes)?;
        fields.serialize_field("huge_page_bytes", &self.huge_page_bytes)?;
        fields.serialize_field("elapsed_ns", &(self.elapsed.as_nanos() as u64))?;
        fields.serialize_field("requested", &requested)?;
        fields.serialize_field("denied", &denied)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_figures_in_one_line_and_each_refusal_in_one_more() {
        let mut residency = Residency {
            reserved_bytes: 147_849_216,
            resident_bytes: 64 << 20,
            huge_bytes: 63 << 20,
            locked_bytes: 8 << 20,
            huge_page_bytes: 2 << 20,
            elapsed: Duration::from_micros(41_260),
            ..Residency::default()
        };
        let figures = "Residency: resident=64.0/141.0 MiB (45.4%) huge=63.0 MiB (of 2048 KiB) locked=8.0 MiB in 41.3 ms";
        assert_eq!(residency.to_string(), figures);
        residency.denied[MemoryOption::Lock as usize] = Errno::code_of(Err(Errno::UNSUPPORTED));
        assert_eq!(residency.to_string(), format!("{figures}\nDenied: locked memory: unsupported"));
    }

    #[test]
    fn without_pools_it_prints_zeros() {
        let none = Residency::default();
        assert_eq!(
            none.to_string(),
            "Residency: resident=0.0/0.0 MiB (0.0%) huge=0.0 MiB (of 0 KiB) locked=0.0 MiB in 0.0 ms"
        );
        assert!(
            MemoryOption::ALL.iter().all(|&option| !none.requested(option) && none.denied(option).is_none())
        );
    }
}
