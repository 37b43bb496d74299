//! The mode of a lane: whether threads may cache its slots. A reclaim revokes cached slots by changing it.
//!
//! How the mode keeps an owner and a reclaim apart is in [`magazine`](crate::magazine).

use crate::sync::{
    AtomicU8,
    Ordering::{Acquire, SeqCst},
    const_unless_modelled,
};

/// Whether threads may cache slots of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum LaneMode {
    /// Threads may cache slots.
    Cached,
    /// Threads may not cache slots. All free slots are in the set.
    SetOnly,
    /// Threads may not cache slots. At least one magazine is still to be emptied.
    Pending,
    /// Threads never cache slots of this lane.
    Off,
}

/// The mode of one lane, shared by all threads.
pub(crate) struct Mode(AtomicU8);

impl Mode {
    const_unless_modelled! {
        pub(crate) fn new(mode: LaneMode) -> Self {
            Self(AtomicU8::new(mode as u8))
        }
    }

    #[inline(always)]
    pub(crate) fn is_cached(&self) -> bool {
        self.bits() == LaneMode::Cached as u8
    }

    /// Whether threads never cache slots of the lane.
    #[inline(always)]
    pub(crate) fn is_off(&self) -> bool {
        self.bits() == LaneMode::Off as u8
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> LaneMode {
        const CACHED: u8 = LaneMode::Cached as u8;
        const SET_ONLY: u8 = LaneMode::SetOnly as u8;
        const PENDING: u8 = LaneMode::Pending as u8;
        match self.bits() {
            CACHED => LaneMode::Cached,
            SET_ONLY => LaneMode::SetOnly,
            PENDING => LaneMode::Pending,
            _ => LaneMode::Off,
        }
    }

    /// Whether free slots that are not in the set may be in a magazine.
    #[inline(always)]
    pub(crate) fn may_hide_slots(&self) -> bool {
        matches!(self.get(), LaneMode::Cached | LaneMode::Pending)
    }

    /// Whether the lane was cached and is to be cached again.
    #[inline]
    pub(super) fn is_revoked(&self) -> bool {
        matches!(self.get(), LaneMode::SetOnly | LaneMode::Pending)
    }

    #[inline]
    pub(crate) fn set(&self, mode: LaneMode) {
        self.0.store(mode as u8, SeqCst);
    }

    #[inline(always)]
    fn bits(&self) -> u8 {
        self.0.load(Acquire)
    }
}
