//! How slots come back out of other threads' magazines, so that no lane refuses while one of its slots is free (P3).
//!
//! A lane is either *cached* or *set-only*. A take that finds neither its magazine nor the set of any use revokes the lane's
//! magazines: it makes the lane set-only, fences once, and empties every magazine whose owner is outside. Those seen inside
//! are remembered and emptied later, without another fence, because the mode never left set-only. The lane
//! returns to cached once nothing is pending and half of it is free. While it is set-only a miss is one load, so an exhausted lane
//! costs neither fences nor scans, not with one give per take either.
//!
//! A trim revokes lanes because it wants the slots, and lets them back itself, whatever is free.
//!
//! The lock is only ever tried. A thread stopped with it keeps lanes from changing their mode, nothing else: takes and gives go
//! on with the sets. A pass looks at each place that was ever used once, [`PLACES`] at most, and fences at most once.

use crate::fatal::invariant;
use crate::magazine::Magazine;
use crate::magazine::gate::Gate;
use crate::magazine::mode::{LaneMode, Mode};
use crate::slots::lane::{LANES, Lane};
use crate::slots::slot_set::SlotSet;
use crate::sync::{TryLock, const_unless_modelled, heavy_fence};
use crate::tunables::PLACES;

/// What a reclaim works on.
pub(crate) trait MagazineStore {
    /// What an open gate holds.
    fn key(&self) -> usize;
    /// Places that ever had an owner are below this.
    fn used_places(&self) -> usize;
    fn gate(&self, place: usize) -> &Gate;
    fn magazine(&self, place: usize, lane: Lane) -> &Magazine;
    fn mode(&self, lane: Lane) -> &Mode;
    fn set(&self, lane: Lane) -> &SlotSet;
    /// Gives slots out of a magazine to the lane's set.
    fn give_to_set(&self, lane: Lane, slots: &[*mut u8]);
}

/// For each lane, the places whose magazines are still to be emptied, a bit each.
struct Pending([[u64; PLACES.div_ceil(64)]; LANES]);

/// The lock, and what only its holder knows.
pub(crate) struct Reclaim(TryLock<Pending>);

impl Reclaim {
    const_unless_modelled! {
        pub(crate) fn new() -> Self {
            Self(TryLock::new(Pending([[0; PLACES.div_ceil(64)]; LANES])))
        }
    }

    /// Makes `lanes` set-only and moves what their magazines hold to the sets, as far as the magazines' owners are outside. Does
    /// nothing while another thread is at it.
    ///
    /// Without a fence, which a system may refuse, they stay cached, and their magazines as they are.
    ///
    /// Returns which of them were cached until now, so that who wanted no more than the slots can [let them back](Self::resume_caching).
    #[cold]
    pub(crate) fn revoke<const N: usize>(&self, caches: &impl MagazineStore, lanes: [Lane; N]) -> [bool; N] {
        let revoked = self.0.try_with(|pending| {
            let closed = pending.close(caches, lanes);
            for lane in lanes.into_iter().filter(|&lane| caches.mode(lane).is_revoked()) {
                pending.empty_magazines(caches, lane);
            }
            closed
        });
        revoked.unwrap_or([false; N])
    }

    /// Lets the threads cache slots of `closed` lanes again, whatever is free, and takes off those of which they do. The others have owners
    /// inside: to be tried again, or left to [`resume_caching_if_half_free`](Self::resume_caching_if_half_free).
    #[cold]
    pub(crate) fn resume_caching(&self, caches: &impl MagazineStore, closed: &mut [bool; LANES]) {
        if !closed.contains(&true) {
            return;
        }
        self.0.try_with(|pending| {
            for (lane, closed) in Lane::ALL.into_iter().zip(closed).filter(|(_, closed)| **closed) {
                if caches.mode(lane).is_revoked() {
                    pending.empty_magazines(caches, lane);
                }
                if caches.mode(lane).get() == LaneMode::SetOnly {
                    caches.mode(lane).set(LaneMode::Cached);
                }
                *closed = !caches.mode(lane).is_cached();
            }
        });
    }

    /// Lets the threads cache slots of a set-only lane again, if nothing is pending and half of it is free.
    #[cold]
    pub(super) fn resume_caching_if_half_free(&self, caches: &impl MagazineStore, lane: Lane) {
        self.0.try_with(|pending| {
            if !caches.mode(lane).is_revoked() {
                return;
            }
            pending.empty_magazines(caches, lane);
            if caches.mode(lane).get() == LaneMode::SetOnly && is_half_free(caches.set(lane)) {
                caches.mode(lane).set(LaneMode::Cached);
            }
        });
    }

    /// After a `fork`, for the only thread there is: opens the lock, and starts a revocation that may have been cut short again.
    ///
    /// # Safety
    ///
    /// No other thread is inside, or tries to get there.
    pub(crate) unsafe fn take_over(&self, caches: &impl MagazineStore) {
        // SAFETY: by contract the holder, if there is one, is a thread that did not come along.
        unsafe { self.0.reopen() };
        self.0.try_with(|pending| {
            for lane in Lane::ALL {
                pending.0[lane.index()] = [0; PLACES.div_ceil(64)];
                if caches.mode(lane).is_revoked() {
                    pending.add_all(lane, caches.used_places());
                    caches.mode(lane).set(LaneMode::Pending);
                }
            }
        });
    }
}

/// What it takes for a set-only lane to be cached again. A lane that lives at its limit stays set-only.
#[inline]
pub(super) fn is_half_free(set: &SlotSet) -> bool {
    set.free() * 2 >= set.slots()
}

impl Pending {
    /// Makes set-only those of `lanes` that are cached, and all their magazines pending; returns which.
    fn close<const N: usize>(&mut self, caches: &impl MagazineStore, lanes: [Lane; N]) -> [bool; N] {
        let closed = lanes.map(|lane| {
            let is_cached = caches.mode(lane).is_cached();
            if is_cached {
                caches.mode(lane).set(LaneMode::SetOnly);
            }
            is_cached
        });
        if closed.contains(&true) && !heavy_fence() {
            // Nobody has touched another's magazine, so the owners may go on with theirs.
            lanes
                .into_iter()
                .zip(closed)
                .filter(|(_, closed)| *closed)
                .for_each(|(lane, _)| caches.mode(lane).set(LaneMode::Cached));
            return [false; N];
        }
        for (lane, _) in lanes.into_iter().zip(closed).filter(|(_, closed)| *closed) {
            // After the fence: who takes a place later than this sees that the lane is set-only.
            self.add_all(lane, caches.used_places());
        }
        closed
    }

    fn add_all(&mut self, lane: Lane, places: usize) {
        for place in 0..places {
            self.0[lane.index()][place / 64] |= 1 << (place % 64);
        }
    }

    /// Of a lane that is not cached. Says in the lane's mode whether some are still pending.
    fn empty_magazines(&mut self, caches: &impl MagazineStore, lane: Lane) {
        invariant!(!caches.mode(lane).is_cached(), "only magazines of a revoked lane are emptied");
        let mut is_settled = true;
        for (word, first) in self.0[lane.index()].iter_mut().zip((0..).step_by(64)) {
            let mut bits = *word;
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                bits ^= bit;
                let place = first + bit.trailing_zeros() as usize;
                if caches.gate(place).is_open(caches.key()) {
                    empty(caches, lane, caches.magazine(place, lane));
                    *word ^= bit;
                } else if caches.gate(place).is_abandoned() {
                    *word ^= bit;
                } else {
                    is_settled = false;
                }
            }
        }
        caches.mode(lane).set(if is_settled { LaneMode::SetOnly } else { LaneMode::Pending });
    }
}

/// Moves all that a magazine holds to the set.
fn empty(caches: &impl MagazineStore, lane: Lane, magazine: &Magazine) {
    // Ends: the magazine's owner keeps out.
    loop {
        let drained = magazine.drain();
        if drained.as_slice().is_empty() {
            return;
        }
        caches.give_to_set(lane, drained.as_slice());
    }
}
