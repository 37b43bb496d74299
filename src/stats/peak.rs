//! The maximum number of slots of a class that were live at once, without a count that every hit would have
//! to change.
//!
//! To count the live slots takes a sum over all threads, because some of the slots outside the sets are
//! cached. The sum is taken in two cases:
//!
//! - A class has fewer slots left in its sets than at any sum before. That happens at most as often as the
//!   class has slots, counted anew after each trim.
//! - A request misses, and no sum has seen all slots live yet.
//!
//! Between two sums, threads can use up what they had cached. So the peak is too low by at most one magazine
//! for each thread and lane. It is never too high.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | both | any thread that takes a sum (Relaxed) | nothing |

use crate::layout::layout_of;
use crate::sync::{AtomicUsize, Ordering::Relaxed};

/// The peak of one class.
#[repr(C)]
pub(crate) struct Peak {
    highest: AtomicUsize,
    /// The minimum number of slots left in the sets so far.
    lowest_free: AtomicUsize,
}

impl Peak {
    pub(crate) const LAYOUT: u64 = layout_of!(Peak { highest, lowest_free });

    pub(crate) const fn new() -> Self {
        Self { highest: AtomicUsize::new(0), lowest_free: AtomicUsize::new(usize::MAX) }
    }

    /// Whether more slots can be live than at the sums before, if `free` of `slots` slots are in the sets.
    #[inline]
    pub(crate) fn may_rise(&self, slots: usize, free: usize) -> bool {
        free < self.lowest_free.load(Relaxed) && slots.saturating_sub(free) > self.highest.load(Relaxed)
    }

    /// Whether every sum so far was below `slots`.
    pub(crate) fn is_below(&self, slots: usize) -> bool {
        self.highest.load(Relaxed) < slots
    }

    /// Stores a sum that was taken while `free` slots were in the sets.
    pub(crate) fn note(&self, in_use: usize, free: usize) {
        self.lowest_free.fetch_min(free, Relaxed);
        self.highest.fetch_max(in_use, Relaxed);
    }

    /// Forgets how few slots were left in the sets.
    ///
    /// It must be called when slots that were neither live nor cached are back in the sets. While they were
    /// missing there, the figure did not follow from live and cached slots alone.
    pub(crate) fn look_anew(&self) {
        self.lowest_free.store(usize::MAX, Relaxed);
    }

    /// Raises the peak to a sum that was taken for another reason, and returns the peak.
    pub(crate) fn raise_to(&self, in_use: usize) -> usize {
        self.highest.fetch_max(in_use, Relaxed).max(in_use)
    }
}
