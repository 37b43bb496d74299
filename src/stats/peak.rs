//! The most slots of a class that were live at once, without a count that every hit would have to change.
//!
//! How many slots are live takes a sum over all threads, because some of those out of the set are cached. It is taken only when a class has
//! fewer slots left in its sets than at any sum before, which is no more often than the class has slots, and at a miss until one
//! has seen them all live. Between two sums, threads
//! can have used up what they had cached; so the peak is short of the truth by at most one magazine a thread, and never above it.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | both | whoever looks (Relaxed) | nothing |

use crate::sync::{AtomicUsize, Ordering::Relaxed};

/// Of one class.
pub(crate) struct Peak {
    highest: AtomicUsize,
    /// The fewest slots left in the sets so far.
    lowest_free: AtomicUsize,
}

impl Peak {
    pub(crate) const fn new() -> Self {
        Self { highest: AtomicUsize::new(0), lowest_free: AtomicUsize::new(usize::MAX) }
    }

    /// Whether more slots can be live, of `slots` of which `free` are in the sets, than at the last sum.
    #[inline]
    pub(crate) fn may_rise(&self, slots: usize, free: usize) -> bool {
        free < self.lowest_free.load(Relaxed) && slots.saturating_sub(free) > self.highest.load(Relaxed)
    }

    /// Whether all of `slots` slots were never seen live.
    pub(crate) fn is_below(&self, slots: usize) -> bool {
        self.highest.load(Relaxed) < slots
    }

    /// What the sum was while `free` slots were in the sets.
    pub(crate) fn note(&self, in_use: usize, free: usize) {
        self.lowest_free.fetch_min(free, Relaxed);
        self.highest.fetch_max(in_use, Relaxed);
    }

    /// To be called when slots that were neither live nor cached are back in the sets: how few were left without them says nothing.
    pub(crate) fn look_anew(&self) {
        self.lowest_free.store(usize::MAX, Relaxed);
    }

    /// A sum was taken for another reason.
    pub(crate) fn raise_to(&self, in_use: usize) -> usize {
        self.highest.fetch_max(in_use, Relaxed).max(in_use)
    }
}
