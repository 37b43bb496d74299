//! One lane at work: slots out of the set and into a thread's magazine, and back; and what a class does when a lane runs dry.
//!
//! These are the slow paths: a hit pops its magazine and never comes here. A refill and a flush move half a magazine with one
//! atomic operation on the set (two in a set of more than 64 slots), or a few where the slots lie in different words. All
//! lock-free; none touches a slot.

use crate::magazine::batch::Batch;
use crate::magazine::mode::Mode;
use crate::magazine::reclaim::{MagazineStore, Reclaim, is_half_free};
use crate::magazine::{Magazine, Push, Refill};
use crate::slots::lane::Lane;
use crate::slots::slot_set::{AlreadyFree, SlotSet};
use crate::tunables::MAGAZINE_BATCH;

/// What pools work on, beside what a reclaim does: the metadata, or what the model checker has in its place.
pub(crate) trait LaneStore: MagazineStore {
    /// A thread's place, in the hands of that thread.
    type OwnState: Copy;

    /// What `f` does inside with this thread's magazine; `None`, and nothing done, if the thread was inside already.
    fn inside<R>(&self, own: Self::OwnState, lane: Lane, f: impl FnOnce(&Magazine) -> R) -> Option<R>;
    /// Where in the sets this thread looks first.
    fn search_start(&self, own: Self::OwnState) -> usize;
    /// What a magazine starts with.
    fn first_capacity(&self, lane: Lane) -> usize;
    /// What it may grow to.
    fn max_capacity(&self, lane: Lane) -> usize;
    /// Runs `f`, which may take the reclaim lock.
    fn with_reclaim<R>(&self, f: impl FnOnce(&Reclaim) -> R) -> R;
    /// To be asked before the reclaim lock is tried.
    fn settle_after_fork(&self) -> bool;
    /// Where the slot of this index starts.
    fn start(&self, lane: Lane, index: usize) -> *mut u8;
    fn index(&self, lane: Lane, start: *mut u8) -> usize;
    /// Ends the process.
    fn double_free(&self, lane: Lane, start: *mut u8) -> !;
}

/// A lane and everything that it needs. Outside the set, a slot goes by its address.
pub(crate) struct LanePool<'a, L> {
    lanes: &'a L,
    lane: Lane,
}

impl<L> Clone for LanePool<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for LanePool<'_, L> {}

impl<'a, L: LaneStore> LanePool<'a, L> {
    pub(crate) fn new(lanes: &'a L, lane: Lane) -> Self {
        Self { lanes, lane }
    }

    /// A slot for whoever may have this lane's, and the lane that it is of; `None` if there is none.
    ///
    /// Who may have the held-back lane's may have the open lane's too; before that fails, slots in other threads' magazines
    /// are called in.
    pub(crate) fn take(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        if !self.lane.is_held_back() {
            return self.take_here(own);
        }
        self.take_without_reclaim(own).or_else(|| self.take_revoked([self.lane, self.lane.open()]))
    }

    /// [`take`](Self::take), but what other threads have cached stays theirs.
    pub(crate) fn take_without_reclaim(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        let taken = self.take_here(own);
        if self.lane.is_held_back() {
            taken.or_else(|| self.with(self.lane.open()).take_here(own))
        } else {
            taken
        }
    }

    /// A slot of this lane: out of this thread's magazine, or out of the set with some more for the magazine.
    fn take_here(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        let limit = self.lanes.max_capacity(self.lane);
        let popped = own
            .and_then(|own| Some((own, self.with_magazine(own, |magazine| magazine.pop_or_refill(limit))?)));
        match popped {
            Some((_, Ok(start))) => Some((start, self.lane)),
            Some((own, Err(refill))) => self.refill(own, &refill),
            None => self.take_from_set(own),
        }
    }

    /// A slot out of the set, and some more for the magazine of an owner that found it empty.
    fn refill(self, own: L::OwnState, refill: &Refill) -> Option<(*mut u8, Lane)> {
        let mut indices = [0; MAGAZINE_BATCH];
        let wanted = &mut indices[..refill.slots];
        let search_start = self.lanes.search_start(own);
        let visitor = Some(own).filter(|_| refill.is_cold);
        let taken = self.visit_set(visitor, || self.set().take_some(wanted, search_start));
        let (first, rest) = indices[..taken].split_first()?;
        if !rest.is_empty() {
            // The lowest on top: it goes out next.
            let starts: Batch = rest.iter().rev().map(|&index| self.start(index as usize)).collect();
            self.cache(own, starts.as_slice());
        }
        Some((self.start(*first as usize), self.lane))
    }

    /// A slot out of the set alone.
    fn take_from_set(self, own: Option<L::OwnState>) -> Option<(*mut u8, Lane)> {
        let mut index = [0];
        let search_start = own.map_or(0, |own| self.lanes.search_start(own));
        match self.set().take_some(&mut index, search_start) {
            0 => None,
            _ => Some((self.start(index[0] as usize), self.lane)),
        }
    }

    /// A slot after everything that other threads have cached in `lanes` was moved to the sets.
    #[cold]
    fn take_revoked<const N: usize>(self, lanes: [Lane; N]) -> Option<(*mut u8, Lane)> {
        if !lanes.into_iter().any(|lane| self.with(lane).mode().may_hide_slots())
            || !self.lanes.settle_after_fork()
        {
            return None;
        }
        self.lanes.with_reclaim(|reclaim| reclaim.revoke(self.lanes, lanes));
        lanes.into_iter().find_map(|lane| self.with(lane).take_here(None))
    }

    /// Puts a slot, which the map says is free, into this thread's magazine, after half of what is there if it is full; or into
    /// the set.
    pub(crate) fn give(self, own: Option<L::OwnState>, start: *mut u8) {
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
        if self.mode().is_revoked() && is_half_free(self.set()) && self.lanes.settle_after_fork() {
            self.lanes.with_reclaim(|reclaim| reclaim.resume_caching_if_half_free(self.lanes, self.lane));
        }
    }

    /// Moves all that this thread has cached of this lane to the set, unless a reclaim is to do that.
    pub(crate) fn empty_own_magazine(self, own: L::OwnState) {
        // Ends: nothing is put in meanwhile, but by signal handlers.
        while let Some(drained) = self.with_magazine(own, Magazine::drain) {
            if drained.as_slice().is_empty() {
                return;
            }
            self.give_to_set(drained.as_slice());
        }
    }

    /// Caches slots as far as the magazine takes them; the others go back.
    fn cache(self, own: L::OwnState, starts: &[*mut u8]) {
        let cached = self
            .with_magazine(own, |magazine| starts.iter().take_while(|&&start| magazine.push(start)).count());
        self.give_to_set(&starts[cached.unwrap_or(0)..]);
    }

    /// What `f` does with the set; if the owner of a cold magazine does it, that counts towards the magazine.
    #[inline]
    fn visit_set<R>(self, visitor: Option<L::OwnState>, f: impl FnOnce() -> R) -> R {
        let Some(own) = visitor else { return f() };
        let name = self.lanes.search_start(own) as u32 + 1;
        let came_last = self.set().arrive(name);
        let result = f();
        let met_others = !self.set().is_last(name);
        let first = self.lanes.first_capacity(self.lane);
        self.with_magazine(own, |magazine| magazine.warm_up(came_last, met_others, first));
        result
    }

    /// What `f` does inside with this thread's magazine; `None`, and nothing done, if the thread may not touch it.
    fn with_magazine<R>(self, own: L::OwnState, f: impl FnOnce(&Magazine) -> R) -> Option<R> {
        self.lanes.inside(own, self.lane, |magazine| self.mode().is_cached().then(|| f(magazine)))?
    }

    /// Ends the process if the set has one of them: it was freed by two threads at once.
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
        self.lanes.double_free(self.lane, start)
    }

    fn with(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    fn mode(self) -> &'a Mode {
        self.lanes.mode(self.lane)
    }

    pub(crate) fn set(self) -> &'a SlotSet {
        self.lanes.set(self.lane)
    }

    fn start(self, index: usize) -> *mut u8 {
        self.lanes.start(self.lane, index)
    }

    fn index(self, start: *mut u8) -> usize {
        self.lanes.index(self.lane, start)
    }
}
