//! The mode of a lane: whether its slots may be cached, which is also how a reclaim revokes what is.
//!
//! How it keeps an owner and a reclaim apart is in [`magazine`](crate::magazine).

use crate::sync::{
    AtomicU8,
    Ordering::{Acquire, SeqCst},
    const_unless_modelled,
};

/// Whether the threads may cache slots of a lane.
pub(crate) struct Mode(AtomicU8);

impl Mode {
    /// They may.
    pub(crate) const CACHED: u8 = 0;
    /// They may not; all free slots are in the set.
    pub(crate) const SET_ONLY: u8 = 1;
    /// They may not; some magazines are still to be emptied.
    pub(crate) const PENDING: u8 = 2;
    /// They never may.
    pub(crate) const OFF: u8 = 3;

    const_unless_modelled! {
        pub(crate) fn new(mode: u8) -> Self {
            Self(AtomicU8::new(mode))
        }
    }

    #[inline(always)]
    pub(crate) fn is_cached(&self) -> bool {
        self.get() == Self::CACHED
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u8 {
        self.0.load(Acquire)
    }

    /// Whether slots that are not in the set may be in a magazine.
    #[inline(always)]
    pub(crate) fn may_hide_slots(&self) -> bool {
        matches!(self.get(), Self::CACHED | Self::PENDING)
    }

    /// Whether the lane was cached and will be again.
    #[inline]
    pub(crate) fn is_revoked(&self) -> bool {
        matches!(self.get(), Self::SET_ONLY | Self::PENDING)
    }

    #[inline]
    pub(crate) fn set(&self, mode: u8) {
        self.0.store(mode, SeqCst);
    }
}
