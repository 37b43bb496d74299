//! The table of places: which of them have an owner.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `taken` | claiming threads (Acquire), exiting threads and settling children (Release) | the counts and cached slots that the last owner left |
//! | `turn` | threads that look for [orphans](crate::lifecycle::orphans) (Relaxed) | nothing |
//! | `used` | claiming threads (Release), read by reclaims and snapshots (Acquire) | the gates of new places |

use crate::fatal::invariant;
#[cfg(not(framepool_loom))]
use crate::layout::layout_of;
use crate::sync::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::tunables::PLACES;

const WORDS: usize = PLACES.div_ceil(64);

/// The bits and counts of the table. Outside the model checker they start as zeroed memory.
#[repr(C, align(128))]
pub(crate) struct Places {
    /// A bit for each place, set while it is taken.
    taken: [AtomicU64; WORDS],
    /// Places that ever had an owner are below this.
    used: AtomicUsize,
    #[cfg(not(framepool_loom))]
    turn: AtomicUsize,
}

impl Places {
    #[cfg(not(framepool_loom))]
    pub(crate) const LAYOUT: u64 = layout_of!(Places { taken, used, turn });

    #[cfg(framepool_loom)]
    pub(crate) fn new() -> Self {
        Self { taken: core::array::from_fn(|_| AtomicU64::new(0)), used: AtomicUsize::new(0) }
    }

    /// Makes the lowest free place the caller's; `None` if there is none. Runs `set_up` on it before reclaims
    /// look at a new place.
    pub(crate) fn claim(&self, set_up: impl FnOnce(usize)) -> Option<usize> {
        let place = self.taken.iter().zip((0..).step_by(64)).find_map(|(word, first)| {
            let lowest_clear = |bits: u64| bits.checked_add(1).map(|next| bits | next);
            let before = word.fetch_update(Acquire, Relaxed, lowest_clear).ok()?;
            Some(first + before.trailing_ones() as usize)
        })?;
        invariant!(place < PLACES, "a place lies in the table");
        set_up(place);
        self.used.fetch_max(place + 1, Release);
        Some(place)
    }

    /// Gives a place back for the next thread to claim.
    pub(crate) fn release(&self, place: usize) {
        let before = self.taken[place / 64].fetch_and(!(1 << (place % 64)), Release);
        invariant!(before & 1 << (place % 64) != 0, "a place that is given back was taken");
    }

    /// The places that have an owner.
    pub(crate) fn taken(&self) -> impl Iterator<Item = usize> {
        self.taken.iter().zip((0..).step_by(64)).flat_map(|(word, first)| {
            let bits = word.load(Acquire);
            (0..64).filter(move |place| bits & 1 << place != 0).map(move |place| first + place)
        })
    }

    /// Returns 64 places: the next ones at each call, in turn.
    #[cfg(not(framepool_loom))]
    pub(crate) fn next_word(&self) -> core::ops::Range<usize> {
        let first = self.turn.fetch_add(1, Relaxed) % WORDS * 64;
        first..first + 64
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Acquire)
    }
}
