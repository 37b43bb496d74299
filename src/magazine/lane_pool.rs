//! One lane at work: slots move between the set and a thread's magazine, and a lane that runs dry is
//! reclaimed.
//!
//! These are the slow paths: a hit pops its magazine and does not come here. A refill or a spill moves up to
//! half a magazine with one atomic operation on the set. It takes two if the set has more than 64 slots, and
//! several if the slots lie in different words. All of it is lock-free, and nothing here touches a slot.

use crate::magazine::batch::Batch;
use crate::magazine::mode::Mode;
use crate::magazine::reclaim::{MagazineStore, Reclaim, is_half_free};
use crate::magazine::{Magazine, Push, Refill};
use crate::slots::lane::Lane;
use crate::slots::slot_set::{AlreadyFree, SlotSet};
use crate::tunables::MAGAZINE_BATCH;

/// The rest of what lane pools work on, beside the store of a reclaim: the metadata, or the model checker's
/// stand-in.
pub(crate) trait LaneStore: MagazineStore {
    /// A thread's own place, used on that thread only.
    type OwnState: Copy;

    /// Runs `f` inside, with this thread's magazine. Returns `None` and does nothing if the thread was inside
    /// already.
    fn inside<R>(&self, own: Self::OwnState, lane: Lane, f: impl FnOnce(&Magazine) -> R) -> Option<R>;
    /// Returns the word of the sets at which this thread starts to search.
    fn search_start(&self, own: Self::OwnState) -> usize;
    /// Returns the capacity at which a magazine starts.
    fn first_capacity(&self, lane: Lane) -> usize;
    /// Returns the capacity up to which a magazine may grow.
    fn max_capacity(&self, lane: Lane) -> usize;
    /// Runs `f`, which may try the reclaim lock.
    fn with_reclaim<R>(&self, f: impl FnOnce(&Reclaim) -> R) -> R;
    /// Settles the child of a `fork`. Called before the reclaim lock is tried. Returns `false` while the
    /// child is not settled.
    fn settle_after_fork(&self) -> bool;
    /// Returns where the slot with this index starts.
    fn start(&self, lane: Lane, index: usize) -> *mut u8;
    fn index(&self, lane: Lane, start: *mut u8) -> usize;
    /// Ends the process with the text of a double free.
    fn double_free(&self, lane: Lane, start: *mut u8) -> !;
}

/// A lane and everything that it needs. Outside the set, a slot is identified by its address.
pub(crate) struct LanePool<'a, L> {
    store: &'a L,
    lane: Lane,
}

impl<L> Clone for LanePool<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for LanePool<'_, L> {}

impl<'a, L: LaneStore> LanePool<'a, L> {
    pub(crate) fn new(store: &'a L, lane: Lane) -> Self {
        Self { store, lane }
    }

    /// Takes a slot for a layout that may have this lane's slots. Returns it with its lane, or `None` if
    /// there is none.
    ///
    /// A layout that may have held-back slots may have the open ones too. If this thread's magazines and the
    /// sets have none, the take reclaims what other threads have cached. A layout that may have only the open
    /// slots starts no reclaim.
    pub(crate) fn take(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        if !self.lane.is_held_back() {
            return self.take_here(own);
        }
        self.take_without_reclaim(own).or_else(|| self.take_revoked([self.lane, self.lane.open()]))
    }

    /// Takes a slot as [`take`](Self::take) does, but leaves other threads their cached slots.
    pub(crate) fn take_without_reclaim(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        let taken = self.take_here(own);
        if self.lane.is_held_back() {
            taken.or_else(|| self.with(self.lane.open()).take_here(own))
        } else {
            taken
        }
    }

    /// Takes a slot of this lane: from this thread's magazine, or from the set with more slots for the
    /// magazine.
    fn take_here(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        let limit = self.store.max_capacity(self.lane);
        let popped = own
            .and_then(|own| Some((own, self.with_magazine(own, |magazine| magazine.pop_or_refill(limit))?)));
        match popped {
            Some((_, Ok(start))) => Some((start, self.lane)),
            Some((own, Err(refill))) => self.refill(own, &refill),
            None => self.take_from_set(own),
        }
    }

    /// Takes a slot from the set, and more for the magazine of an owner that found it empty.
    fn refill(self, own: L::OwnState, refill: &Refill) -> Option<(*mut u8, Lane)> {
        let mut indices = [0; MAGAZINE_BATCH];
        let wanted = &mut indices[..refill.slots];
        let search_start = self.store.search_start(own);
        let visitor = refill.is_cold.then_some(own);
        let taken = self.visit_set(visitor, || self.set().take_some(wanted, search_start));
        let (first, rest) = indices[..taken].split_first()?;
        if !rest.is_empty() {
            // The lowest slot is on top, so it is handed out next.
            let starts: Batch = rest.iter().rev().map(|&index| self.start(index as usize)).collect();
            self.cache(own, starts.as_slice());
        }
        Some((self.start(*first as usize), self.lane))
    }

    /// Takes a slot from the set, and none for a magazine.
    fn take_from_set(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        let search_start = own.map_or(0, |own| self.store.search_start(own));
        Some((self.take_one(search_start)?, self.lane))
    }

    /// Takes a slot from the set, in which the search starts at this word.
    #[inline]
    pub(crate) fn take_one(self, search_start: usize) -> Option<*mut u8> {
        let mut index = [0];
        let taken = self.set().take_some(&mut index, search_start);
        (taken == 1).then(|| self.start(index[0] as usize))
    }

    /// Takes a slot after a reclaim has moved what other threads have cached in `lanes` to the sets.
    #[cold]
    fn take_revoked<const N: usize>(self, lanes: [Lane; N]) -> Option<(*mut u8, Lane)> {
        if !lanes.into_iter().any(|lane| self.with(lane).mode().may_hide_slots())
            || !self.store.settle_after_fork()
        {
            return None;
        }
        self.store.with_reclaim(|reclaim| reclaim.revoke(self.store, lanes));
        lanes.into_iter().find_map(|lane| self.with(lane).take_here(None))
    }

    /// Gives a slot, which the slot map says is free, to this thread's magazine. If that is full, its older
    /// half goes to the set first. If the thread may not use a magazine, or the magazine takes nothing, the
    /// slot goes to the set. If the lane was revoked and half of it is free, it is cached again.
    pub(crate) fn give(self, own: Option<L::OwnState>, start: *mut u8) {
        if self.mode().is_off() {
            return self.give_to_set(&[start]);
        }
        let pushed = own.and_then(|own| self.with_magazine(own, |magazine| magazine.push_or_spill(start)));
        match pushed {
            Some(Push { is_pushed, is_cold, spilled }) => {
                self.give_to_set(spilled.as_slice());
                if !is_pushed {
                    self.visit_set(own.filter(|_| is_cold), || self.give_to_set(&[start]));
                }
            }
            None => self.give_to_set(&[start]),
        }
        if self.mode().is_revoked() && is_half_free(self.set()) && self.store.settle_after_fork() {
            self.store.with_reclaim(|reclaim| reclaim.resume_caching_if_half_free(self.store, self.lane));
        }
    }

    /// Moves all that this thread has cached of this lane to the set. If the lane is not cached, a reclaim
    /// does that instead.
    pub(crate) fn empty_own_magazine(self, own: L::OwnState) {
        // This ends: only signal handlers can push slots meanwhile.
        while let Some(drained) = self.with_magazine(own, Magazine::drain) {
            if drained.as_slice().is_empty() {
                return;
            }
            self.give_to_set(drained.as_slice());
        }
    }

    /// Caches as many slots as the magazine takes, and gives the rest back to the set.
    fn cache(self, own: L::OwnState, starts: &[*mut u8]) {
        let cached = self
            .with_magazine(own, |magazine| starts.iter().take_while(|&&start| magazine.push(start)).count());
        self.give_to_set(&starts[cached.unwrap_or(0)..]);
    }

    /// Runs `f`, which uses the set. If `visitor` is the owner of a cold magazine, the visit counts towards
    /// the magazine.
    #[inline]
    fn visit_set<R>(self, visitor: Option<L::OwnState>, f: impl FnOnce() -> R) -> R {
        let Some(own) = visitor else { return f() };
        let name = self.store.search_start(own) as u32 + 1;
        let came_last = self.set().arrive(name);
        let result = f();
        let met_others = !self.set().is_last(name);
        let first = self.store.first_capacity(self.lane);
        self.with_magazine(own, |magazine| magazine.warm_up(came_last, met_others, first));
        result
    }

    /// Runs `f` inside, with this thread's magazine. Returns `None` and does nothing if the thread may not
    /// touch it.
    fn with_magazine<R>(self, own: L::OwnState, f: impl FnOnce(&Magazine) -> R) -> Option<R> {
        self.store.inside(own, self.lane, |magazine| self.mode().is_cached().then(|| f(magazine)))?
    }

    /// Gives slots to the set. Ends the process if the set has one of them already: two threads freed it at
    /// once.
    #[inline]
    pub(crate) fn give_to_set(self, starts: &[*mut u8]) {
        if starts.is_empty() {
            return;
        }
        let mut indices = [0; MAGAZINE_BATCH];
        for (index, start) in indices.iter_mut().zip(starts) {
            *index = self.index(*start) as u32;
        }
        if let Err(AlreadyFree(index)) = self.set().give(&indices[..starts.len()]) {
            self.double_free(self.start(index));
        }
    }

    #[cold]
    pub(crate) fn double_free(self, start: *mut u8) -> ! {
        self.store.double_free(self.lane, start)
    }

    fn with(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    fn mode(self) -> &'a Mode {
        self.store.mode(self.lane)
    }

    pub(crate) fn set(self) -> &'a SlotSet {
        self.store.set(self.lane)
    }

    fn start(self, index: usize) -> *mut u8 {
        self.store.start(self.lane, index)
    }

    fn index(self, start: *mut u8) -> usize {
        self.store.index(self.lane, start)
    }
}
