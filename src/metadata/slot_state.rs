//! Where each slot is right now, for tools that show it. Never on an allocation's way.

use crate::metadata::Metadata;
use crate::slots::lane::Lane;
use crate::slots::slab::Slab;

/// Where a slot is: see [`PoolAlloc::slot_states`](crate::PoolAlloc::slot_states).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum SlotState {
    /// In the shared set, for whoever comes.
    #[default]
    Free,
    /// Free too, but in a thread's magazine, or on its way from or to one.
    Cached,
    /// Handed out.
    Live,
}

impl Metadata {
    /// Writes where the slots of a class are, lowest address first, and returns how many were written.
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
        // SAFETY: where a slot starts.
        let cell = unsafe { self.map.cell_of_start(start.addr()) };
        if cell.read().is_live() { SlotState::Live } else { SlotState::Cached }
    }
}
