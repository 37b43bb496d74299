//! One class at work: a slot out of the set and live, or dead and back in it.
//!
//! Take is the set's atomic operation and one store to the slot map; give is a load and a store there and the set's atomic
//! operation. Both lock-free, neither touches the slot.

use crate::config::Class;
use crate::fatal::{self, Misuse};
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
    /// Still all zeros. Computed where it is asked for, and nowhere else.
    pub(crate) is_clean: bool,
}

impl Pool<'_> {
    /// A live slot, from the held-back ones first if `entitled`.
    pub(crate) fn take(&self, entitled: bool) -> Option<Taken> {
        self.set.take(entitled).map(|index| self.hand_out(index))
    }

    /// The same where it takes one atomic operation and no call; `None` says nothing.
    #[inline(always)]
    pub(crate) fn take_quickly(&self, entitled: bool) -> Option<Taken> {
        self.set.take_quickly(entitled).map(|index| self.hand_out(index))
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

    /// Frees the live slot at `offset`, which says `slot` in the map; `clean` if it was cleared.
    ///
    /// Aborts if it turns out that another thread has just freed it too. Always so with `hardened`; otherwise unless the
    /// slot was taken again in between.
    ///
    /// # Safety
    ///
    /// `slot` was just read at `offset`, a slot of this class, and is live.
    pub(crate) unsafe fn give(&self, offset: usize, slot: Slot, clean: bool, hardened: bool, address: usize) {
        let index = self.slab.index_of(offset);
        // SAFETY: the caller's contract.
        let was_live = unsafe { self.map.retire(offset, slot, clean, hardened) };
        if !was_live || self.set.give(index).is_err() {
            fatal::misuse(Misuse::DoubleFree, Class::ALL[self.class], index, address);
        }
    }

    /// The same, neither cleared nor hardened, where it takes one atomic operation and no call; otherwise `false`, and nothing
    /// was done.
    ///
    /// # Safety
    ///
    /// As [`give`](Self::give).
    #[inline(always)]
    pub(crate) unsafe fn give_quickly(&self, offset: usize, slot: Slot, address: usize) -> bool {
        if !self.set.is_one_word() {
            return false;
        }
        let index = self.slab.index_of(offset);
        // SAFETY: the caller's contract.
        unsafe { self.map.retire(offset, slot, false, false) };
        if self.set.give_bit(index).is_err() {
            fatal::misuse(Misuse::DoubleFree, Class::ALL[self.class], index, address);
        }
        true
    }
}
