//! The reasons why no slot serves a request.

use core::fmt;

/// A reason why a request bypasses the pools although no class that fits is exhausted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Bypass {
    /// The layout is larger than a slot of XLarge.
    TooLarge,
    /// The layout is aligned more strictly than any slot that is large enough.
    OverAligned,
    /// The layout is below the [floor](crate::Config::floor) of its class.
    BelowFloor,
    /// All slots that the layout may have are taken. Slots that are [held back](crate::Config::hold_back) for
    /// larger layouts may be left.
    HeldBack,
    /// The pools are [switched off](crate::PoolAlloc::set_enabled), or could not be reserved.
    Disabled,
    /// Another thread, or the code that a signal interrupted, was reserving the pools.
    Starting,
}

impl Bypass {
    /// All reasons.
    pub const ALL: &'static [Bypass] = &[
        Bypass::TooLarge,
        Bypass::OverAligned,
        Bypass::BelowFloor,
        Bypass::HeldBack,
        Bypass::Disabled,
        Bypass::Starting,
    ];

    /// Returns the reason in words, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Bypass::TooLarge => "too large",
            Bypass::OverAligned => "over-aligned",
            Bypass::BelowFloor => "below floor",
            Bypass::HeldBack => "held back",
            Bypass::Disabled => "disabled",
            Bypass::Starting => "starting",
        }
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A reason why no pool served a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request may have every slot of its class, but none was free.
    Miss,
    /// The request bypassed the pools.
    Bypass(Bypass),
}

/// The number of reasons.
pub(crate) const REASONS: usize = 1 + Bypass::ALL.len();

impl Refusal {
    /// All reasons.
    pub const ALL: &'static [Refusal] = &{
        let mut all = [Refusal::Miss; REASONS];
        let mut i = 1;
        while i < REASONS {
            all[i] = Refusal::Bypass(Bypass::ALL[i - 1]);
            i += 1;
        }
        all
    };

    /// Returns the reason in words, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Miss => "no free slot",
            Refusal::Bypass(reason) => reason.name(),
        }
    }

    /// Returns the position in [`ALL`](Self::ALL).
    pub(crate) const fn index(self) -> usize {
        match self {
            Refusal::Miss => 0,
            Refusal::Bypass(reason) => 1 + reason as usize,
        }
    }
}

/// Serializes the name.
#[cfg(feature = "serde")]
impl serde::Serialize for Bypass {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Serializes the name.
#[cfg(feature = "serde")]
impl serde::Serialize for Refusal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
