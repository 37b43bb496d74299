//! One class at work: a slot out of the set and live, or dead and back in it.
//!
//! Take is the set's atomic operation and one store to the slot map; give is a load and a store there and the set's atomic
//! operation. Both lock-free, neither touches the slot.

use crate::config::Class;
use crate::fatal::{self, Misuse};
use crate::recent::Recent;
use crate::slab::Slab;
use crate::slot_map::{Slot, SlotMap};
use crate::slot_set::SlotSet;

/// The parts of one class, wherever they lie.
#[derive(Clone, Copy)]
pub(crate) struct Pool<'a> {
    pub(crate) class: usize,
    pub(crate) slab: &'a Slab,
    pub(crate) set: &'a SlotSet,
    pub(crate) map: SlotMap,
}

/// A slot that was taken just now.
pub(crate) struct Taken {
    pub(crate) offset: usize,
    /// Still all zeros. Where nobody asks, nothing is computed.
    pub(crate) is_clean: bool,
}

impl Pool<'_> {
    /// A live slot, from the held-back ones first if `entitled`.
    pub(crate) fn take(&self, entitled: bool) -> Option<Taken> {
        self.set.take(entitled).map(|index| self.hand_out(index))
    }

    /// The same where it takes one atomic operation and no call; `None` says nothing.
    #[inline(always)]
    pub(crate) fn take_quickly(&self, entitled: bool, recent: &Recent) -> Option<Taken> {
        self.set.take_quickly(entitled, recent).map(|index| self.hand_out(index))
    }

    #[inline(always)]
    fn hand_out(&self, index: usize) -> Taken {
        let offset = self.slab.offset_of(index);
        // SAFETY: the start of a slot of this class, which is this thread's alone since the set let go of it.
        unsafe {
            let is_clean = self.map.is_clean(offset);
            self.map.hand_out(offset, self.class);
            Taken { offset, is_clean }
        }
    }

    /// Frees the live slot at `offset`, which says `slot` in the map; clears it if `zero`.
    ///
    /// Aborts if it turns out that another thread has just freed it too. Always so with `hardened`; otherwise unless the
    /// slot was taken again in between. The slot is this thread's until the set has it, so it is cleared in between.
    ///
    /// # Safety
    ///
    /// `slot` was just read at `offset`, a slot of this class, and is live; `base` is that of the reservation.
    pub(crate) unsafe fn give(&self, base: *mut u8, offset: usize, slot: Slot, zero: bool, hardened: bool) {
        let index = self.slab.index_of(offset);
        // SAFETY: the caller's contract.
        let mut was_live = unsafe { self.map.retire(offset, slot, zero, hardened) };
        if was_live && zero {
            // SAFETY: a whole slot.
            unsafe { Slab::pointer(base, offset).write_bytes(0, self.slab.slot_bytes) };
        }
        was_live = was_live && self.set.give(index).is_ok();
        if !was_live {
            fatal::misuse(Misuse::DoubleFree, Class::ALL[self.class], index, base.addr() + offset);
        }
    }

    /// The same, neither cleared nor hardened, where it takes one atomic operation and no call; otherwise `false`, and nothing
    /// was done. Does not notice another thread that frees the slot at the same moment.
    ///
    /// # Safety
    ///
    /// As [`give`](Self::give).
    #[inline(always)]
    pub(crate) unsafe fn give_quickly(&self, offset: usize, slot: Slot, recent: &Recent) -> bool {
        let is_one_word = self.set.is_one_word();
        if is_one_word {
            // SAFETY: the caller's contract.
            unsafe { self.map.retire(offset, slot, false, false) };
            let index = self.slab.index_of(offset);
            recent.gave(index);
            self.set.give_bit(index);
        }
        is_one_word
    }
}
