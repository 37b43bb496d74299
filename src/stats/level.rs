//! How many of something live, and the maximum that ever lived at once.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | both | any thread that allocates or frees (Relaxed) | nothing |

use crate::sync::{AtomicI64, Ordering::Relaxed};

/// The number of live blocks, and its maximum. Signed, because a block may end here whose begin was not counted. All
/// zeros are valid.
pub(crate) struct Level {
    live: AtomicI64,
    max: AtomicI64,
}

impl Level {
    pub(crate) const fn new() -> Self {
        Self { live: AtomicI64::new(0), max: AtomicI64::new(0) }
    }

    pub(crate) fn rise(&self) {
        let live = self.live.fetch_add(1, Relaxed) + 1;
        if live > self.max.load(Relaxed) {
            self.max.fetch_max(live, Relaxed);
        }
    }

    pub(crate) fn fall(&self) {
        self.live.fetch_sub(1, Relaxed);
    }

    pub(crate) fn max(&self) -> usize {
        usize::try_from(self.max.load(Relaxed)).unwrap_or(0)
    }
}
