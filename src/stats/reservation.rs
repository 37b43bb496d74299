//! The outcome of reserving the slots.

use crate::os::Limit;

/// Whether the pools have their memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Reservation {
    /// No allocation has happened yet, or the first one is still reserving the pools.
    #[default]
    Pending,
    /// The pools have their memory.
    Ready,
    /// The operating system denied the memory. The fallback serves everything from now on.
    ///
    /// The value is the limit of the process that was the cause, if it was a known one.
    Failed(Option<Limit>),
    /// The pools have their memory, but started [switched off](crate::PoolAlloc::set_enabled), because valgrind runs
    /// the program and sees only what goes through `malloc`. `FRAMEPOOL=on` starts them switched on.
    OffForValgrind,
}

impl Reservation {
    /// Returns a number for it, which means the same in every process. 0 is [`Pending`](Self::Pending).
    pub(crate) fn code(self) -> u64 {
        match self {
            Reservation::Pending => 0,
            Reservation::Ready => 1,
            Reservation::OffForValgrind => 2,
            Reservation::Failed(None) => 3,
            Reservation::Failed(Some(Limit::AddressSpace)) => 4,
            Reservation::Failed(Some(Limit::Data)) => 5,
            Reservation::Failed(Some(Limit::LockedMemory)) => 6,
        }
    }

    /// Returns what [`code`](Self::code) returned the number for.
    pub(crate) fn from_code(code: u64) -> Option<Self> {
        let failed = Limit::ALL.into_iter().map(Some).chain([None]).map(Reservation::Failed);
        let mut all =
            [Reservation::Pending, Reservation::Ready, Reservation::OffForValgrind].into_iter().chain(failed);
        all.find(|reservation| reservation.code() == code)
    }

    /// Returns whether the pools have their memory, switched on or off.
    #[cfg(feature = "metrics")]
    pub(crate) const fn has_memory(self) -> bool {
        matches!(self, Reservation::Ready | Reservation::OffForValgrind)
    }

    /// Returns whether the operating system denied the memory.
    #[must_use]
    pub const fn is_failed(self) -> bool {
        matches!(self, Reservation::Failed(_))
    }
}
