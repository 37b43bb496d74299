//! One lane at work: slots out of the set and into a thread's magazine, and back; and what a class does when a lane runs dry.
//!
//! These are the slow paths: a hit pops its magazine and never comes here. A refill and a flush move half a magazine with one
//! atomic operation on the set (two in a set of more than 64 slots), or a few where the slots lie in different words. All
//! lock-free; none touches a slot.

use crate::magazine::mode::Mode;
use crate::magazine::reclaim::{MagazineStore, Reclaim, is_half_free};
use crate::magazine::{Magazine, NO_SLOTS};
use crate::slots::lane::Lane;
use crate::slots::slot_set::{AlreadyFree, SlotSet};
use crate::tunables::MAGAZINE_BATCH;

/// What pools work on, beside what a reclaim does: the metadata, or what the model checker has in its place.
pub(crate) trait LaneStore: MagazineStore {
    /// A thread's place, in the hands of that thread.
    type OwnState: Copy;

    /// What `f` does inside with this thread's magazine; `None` too, and nothing done, if the thread was inside already.
    fn inside<R>(&self, own: Self::OwnState, lane: Lane, f: impl FnOnce(&Magazine) -> Option<R>)
    -> Option<R>;
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
pub(crate) struct Pool<'a, L> {
    lanes: &'a L,
    lane: Lane,
}

impl<L> Clone for Pool<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Pool<'_, L> {}

impl<'a, L: LaneStore> Pool<'a, L> {
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
        let (mut wanted, mut is_cold) = (1, false);
        if let Some(own) = own {
            let popped = self.magazine_of(own, |magazine| {
                let popped = magazine.pop();
                if popped.is_none() {
                    is_cold = magazine.is_cold();
                    wanted = magazine.refill_size(self.lanes.max_capacity(self.lane));
                }
                popped
            });
            if let Some(start) = popped {
                return Some((start, self.lane));
            }
        }
        let search_start = own.map_or(0, |own| self.lanes.search_start(own));
        let mut indices = [0; MAGAZINE_BATCH];
        let visitor = own.filter(|_| is_cold);
        let taken = self.visit_set(visitor, || self.set().take_some(&mut indices[..wanted], search_start));
        let (first, rest) = indices[..taken].split_first()?;
        if let (Some(own), [_, ..]) = (own, rest) {
            let mut starts = NO_SLOTS;
            // The lowest on top: it goes out next.
            for (start, index) in starts.iter_mut().zip(rest.iter().rev()) {
                *start = self.start(*index as usize);
            }
            self.put(own, &starts[..rest.len()]);
        }
        Some((self.start(*first as usize), self.lane))
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
        let (mut older, mut moved, mut is_cold) = (NO_SLOTS, 0, false);
        let cached = own.and_then(|own| {
            self.magazine_of(own, |magazine| {
                if magazine.push(start) {
                    return Some(());
                }
                is_cold = magazine.is_cold();
                if !magazine.is_empty() {
                    moved = magazine.spill_older_half(&mut older);
                }
                // Still full if the place's last owner, in the parent of a `fork`, left more than fits this one's.
                magazine.push(start).then_some(())
            })
        });
        self.give_to_set(&older[..moved]);
        if cached.is_none() {
            self.visit_set(own.filter(|_| is_cold), || self.give_to_set(&[start]));
        }
        if self.mode().is_revoked() && is_half_free(self.set()) && self.lanes.settle_after_fork() {
            self.lanes.with_reclaim(|reclaim| reclaim.resume_caching_if_half_free(self.lanes, self.lane));
        }
    }

    /// Moves all that this thread has cached of this lane to the set, unless a reclaim is to do that.
    pub(crate) fn empty_own_magazine(self, own: L::OwnState) {
        let mut slots = NO_SLOTS;
        // Ends: nothing is put in meanwhile, but by signal handlers.
        while let Some(moved @ 1..) = self.magazine_of(own, |magazine| Some(magazine.drain_into(&mut slots)))
        {
            self.give_to_set(&slots[..moved]);
        }
    }

    /// Caches slots as far as the magazine takes them; the others go back.
    fn put(self, own: L::OwnState, starts: &[*mut u8]) {
        let pushed = self.magazine_of(own, |magazine| {
            Some(starts.iter().take_while(|&&start| magazine.push(start)).count())
        });
        self.give_to_set(&starts[pushed.unwrap_or(0)..]);
    }

    /// What `f` does with the set; if the owner of a cold magazine does it, that counts towards the magazine.
    #[inline]
    fn visit_set<R>(self, visitor: Option<L::OwnState>, f: impl FnOnce() -> R) -> R {
        let Some(own) = visitor else { return f() };
        let name = self.lanes.search_start(own) as u32 + 1;
        let came_last = self.set().arrive(name);
        let result = f();
        let met_others = !self.set().is_last(name);
        self.magazine_of(own, |magazine| {
            magazine.warm_up(came_last, met_others, self.lanes.first_capacity(self.lane));
            Some(())
        });
        result
    }

    /// What `f` does inside with this thread's magazine; `None` too if the thread may not touch it.
    fn magazine_of<R>(self, own: L::OwnState, f: impl FnOnce(&Magazine) -> Option<R>) -> Option<R> {
        self.lanes.inside(own, self.lane, |magazine| if self.mode().is_cached() { f(magazine) } else { None })
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
