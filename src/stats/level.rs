//! How many of something live, and the maximum that ever lived at once.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | both | any thread that allocates or frees (Relaxed) | nothing |

use crate::layout::layout_of;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// The number of live blocks, and its maximum. A block may end here whose begin was not counted, so the number stays at
/// 0 there: below, the maximum would be too low from then on. All zeros are valid.
#[repr(C)]
pub(crate) struct Level {
    live: AtomicU64,
    max: AtomicU64,
}

impl Level {
    pub(crate) const LAYOUT: u64 = layout_of!(Level { live, max });

    pub(crate) const fn new() -> Self {
        Self { live: AtomicU64::new(0), max: AtomicU64::new(0) }
    }

    pub(crate) fn rise(&self) {
        let live = self.live.fetch_add(1, Relaxed) + 1;
        if live > self.max.load(Relaxed) {
            self.max.fetch_max(live, Relaxed);
        }
    }

    pub(crate) fn fall(&self) {
        let _ = self.live.fetch_update(Relaxed, Relaxed, |live| live.checked_sub(1));
    }

    pub(crate) fn max(&self) -> usize {
        usize::try_from(self.max.load(Relaxed)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn an_end_without_a_counted_begin_makes_no_later_maximum_too_low() {
        let level = Level::new();
        level.fall();
        level.fall();
        (0..3).for_each(|_| level.rise());
        assert_eq!(level.max(), 3);
        (0..3).for_each(|_| level.fall());
        (0..4).for_each(|_| level.rise());
        assert_eq!(level.max(), 4);
    }
}
