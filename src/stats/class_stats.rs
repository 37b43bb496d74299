//! The statistics of one class: plain numbers and their rates.

use super::share;

/// The statistics of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClassStats {
    /// The size of one slot, in bytes.
    pub slot_bytes: u64,
    /// The number of slots of the class.
    pub slots: u64,
    /// The number of slots that are [held back](crate::Config::hold_back) for larger layouts.
    pub held_back_slots: u64,
    /// The number of slots that are live now, 0 to `slots`.
    pub in_use: u64,
    /// The maximum number of slots that were seen live at once, 0 to `slots`.
    pub peak: u64,
    /// Requests that got a slot: allocations, and reallocations that moved into one.
    pub hits: u64,
    /// Requests that fit and may have every slot of the class, but found none free.
    pub misses: u64,
    /// Slots given back: frees, and reallocations that moved out of one.
    pub returns: u64,
    /// Bytes requested by all hits and reallocations in place together.
    pub requested_bytes: u64,
    /// Reallocations that stayed in their slot.
    pub reallocs_in_place: u64,
    /// Requests that bypassed the class because all slots that they may have were taken. Slots held back for
    /// larger layouts may have been left.
    pub held_back: u64,
    /// Requests that bypassed the class because they were below its floor.
    pub below_floor: u64,
    /// The maximum number of hits and misses that were live at once, exactly. 0 unless it is
    /// [recorded](crate::Config::record).
    ///
    /// Some blocks of the fallback are not counted: those that were allocated
    /// [unpooled](crate::PoolAlloc::unpooled) or while the pools were switched off, and were freed otherwise.
    pub peak_demand: u64,
}

impl ClassStats {
    /// Returns `hits / (hits + misses)`, 0.0 to 1.0; 0.0 if there were neither.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        share(self.hits, self.misses).unwrap_or(0.0)
    }

    /// Returns `misses / (hits + misses)`, 0.0 to 1.0; 0.0 if there were neither.
    #[must_use]
    pub fn miss_rate(&self) -> f64 {
        share(self.misses, self.hits).unwrap_or(0.0)
    }

    /// Returns the bytes of the slots that are live now.
    #[must_use]
    pub fn in_use_bytes(&self) -> u64 {
        self.in_use * self.slot_bytes
    }

    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(earlier.hits),
            misses: self.misses.saturating_sub(earlier.misses),
            returns: self.returns.saturating_sub(earlier.returns),
            requested_bytes: self.requested_bytes.saturating_sub(earlier.requested_bytes),
            reallocs_in_place: self.reallocs_in_place.saturating_sub(earlier.reallocs_in_place),
            held_back: self.held_back.saturating_sub(earlier.held_back),
            below_floor: self.below_floor.saturating_sub(earlier.below_floor),
            ..*self
        }
    }
}
