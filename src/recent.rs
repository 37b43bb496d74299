//! The slots that a thread gave back last, so that threads which meet in one word need not fight for the same bit.
//!
//! A take that looks at the word and then changes it fetches a contended cache line twice, and fails if another thread
//! comes between. Who knows a bit that is likely set can claim it with one atomic operation that cannot fail for others' sake. So a
//! thread that lost a race notes the slots it gives for a while, and takes those first. Threads that meet nobody note
//! nothing and pay two loads.
//!
//! These are hints: a slot in here may be anybody's by now, and the claim decides. A signal handler that comes between a load and a store
//! here loses or revives a hint, no more.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | both | the owner of the record (Relaxed) | nothing |

use crate::sync::{AtomicU64, Ordering::Relaxed};
use crate::tunables::NOTES_AFTER_A_RACE;

/// Of one thread, in one class of at most 64 slots.
pub(crate) struct Recent {
    /// A bit for each slot.
    slots: AtomicU64,
    /// How many gives are still to be noted.
    notes_left: AtomicU64,
}

impl Recent {
    pub(crate) const fn new() -> Self {
        Self { slots: AtomicU64::new(0), notes_left: AtomicU64::new(0) }
    }

    /// Another thread came between.
    pub(crate) fn lost_a_race(&self) {
        self.notes_left.store(NOTES_AFTER_A_RACE, Relaxed);
    }

    #[inline(always)]
    pub(crate) fn gave(&self, index: usize) {
        let left = self.notes_left.load(Relaxed);
        if left > 0 {
            self.notes_left.store(left - 1, Relaxed);
            self.slots.store(self.slots.load(Relaxed) | 1 << index, Relaxed);
        }
    }

    /// The lowest noted slot among the `wanted` bits, which is no longer noted.
    #[inline(always)]
    pub(crate) fn pick(&self, wanted: u64) -> Option<usize> {
        let slots = self.slots.load(Relaxed);
        let choice = slots & wanted;
        if choice == 0 {
            return None;
        }
        self.slots.store(slots & !(choice & choice.wrapping_neg()), Relaxed);
        Some(choice.trailing_zeros() as usize)
    }
}
