//! The limits of a process that can make the system deny memory.

use core::fmt;

/// A limit of the process (`setrlimit`) that can deny the pools their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Limit {
    /// All address space: `RLIMIT_AS`, `ulimit -v`.
    AddressSpace,
    /// Private writable memory, used or not, on Linux: `RLIMIT_DATA`, `ulimit -d`, systemd's `LimitDATA`.
    Data,
    /// Locked memory, if `mlockall` locks all future memory: `RLIMIT_MEMLOCK`, `ulimit -l`.
    LockedMemory,
}

impl Limit {
    pub(crate) const ALL: [Limit; 3] = [Limit::AddressSpace, Limit::Data, Limit::LockedMemory];

    /// Returns the limit's names in programs and, in parentheses, in shells.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Limit::AddressSpace => "RLIMIT_AS (ulimit -v)",
            Limit::Data => "RLIMIT_DATA (ulimit -d)",
            Limit::LockedMemory => "RLIMIT_MEMLOCK (ulimit -l)",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
