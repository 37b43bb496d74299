//! The state of each slot right now, for tools that show it. Never on the allocation path.

use crate::metadata::Metadata;
use crate::slots::lane::Lane;
use crate::slots::slab::Slab;
use crate::slots::slot_map::SlotTag;

/// The state of a slot: free, cached by a thread, or live. See
/// [`PoolAlloc::slot_states`](crate::PoolAlloc::slot_states).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum SlotState {
    /// Free, and in the set that all threads share.
    #[default]
    Free,
    /// Free, and in a thread's magazine, or on its way from or to one.
    Cached,
    /// Handed out: a block lives in it.
    Live,
}

impl SlotState {
    /// Returns the state of a slot that is not in the set, by its byte in the slot map.
    pub(crate) fn of_taken(tag: SlotTag) -> Self {
        if tag.is_live() { Self::Live } else { Self::Cached }
    }
}

impl Metadata {
    /// Writes the states of a class's slots, lowest address first, and returns how many it has written.
    pub(crate) fn slot_states(&self, class: usize, states: &mut [SlotState]) -> usize {
        if self.base.is_null() {
            return 0;
        }
        let lanes = [Lane::new(class, false), Lane::new(class, true)];
        let slots = lanes.into_iter().flat_map(|lane| {
            let slots = self.lanes[lane.index()].set.slots();
            (0..slots).map(move |index| (lane, index))
        });
        states
            .iter_mut()
            .zip(slots)
            .map(|(state, (lane, index))| *state = self.slot_state(lane, index))
            .count()
    }

    fn slot_state(&self, lane: Lane, index: usize) -> SlotState {
        let parts = &self.lanes[lane.index()];
        if parts.set.has(index) {
            return SlotState::Free;
        }
        // SAFETY: the offset of a slot in the reservation at `base`.
        let start = unsafe { Slab::pointer(self.base, parts.slab.offset_of(parts.first + index)) };
        // SAFETY: a slot starts here.
        let cell = unsafe { self.map.cell_of_start(start.addr()) };
        SlotState::of_taken(cell.read())
    }
}
