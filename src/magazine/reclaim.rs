//! How slots come back from other threads' magazines, so that no lane misses while one of its slots
//! is free (P3).
//!
//! A lane is either *cached* or *set-only*. If a take finds nothing in its magazine and nothing in the set,
//! it revokes the lane's magazines. It makes the lane set-only, fences once, and empties every magazine whose
//! owner is outside. Places whose owner is inside become pending. A later pass empties their magazines
//! without another fence, because the lane has stayed set-only since.
//!
//! The lane is cached again once nothing is pending and half of it is free. While it is set-only, a miss is
//! one load. So an exhausted lane costs no fences and no scans, even if each take is followed by a give.
//!
//! A trim revokes lanes because it wants the slots. It then resumes caching itself, however many slots are
//! free.
//!
//! The lock is only tried, so no thread waits for it. A thread that is stopped with the lock keeps lanes from
//! changing their mode. Takes and gives still go on with the sets. A pass looks once at each place that was
//! ever used, [`PLACES`] at most, and fences at most once.

use crate::fatal::invariant;
use crate::magazine::Magazine;
use crate::magazine::gate::Gate;
use crate::magazine::mode::{LaneMode, Mode};
use crate::slots::lane::{LANES, Lane};
use crate::slots::slot_set::SlotSet;
use crate::sync::{TryLock, const_unless_modelled, heavy_fence};
use crate::tunables::PLACES;

/// The magazines, gates and sets that a reclaim works on.
pub(crate) trait MagazineStore {
    /// Returns the key of every gate in this store.
    fn key(&self) -> usize;
    /// Returns a number that is above every place that ever had an owner.
    fn used_places(&self) -> usize;
    fn gate(&self, place: usize) -> &Gate;
    fn magazine(&self, place: usize, lane: Lane) -> &Magazine;
    fn mode(&self, lane: Lane) -> &Mode;
    fn set(&self, lane: Lane) -> &SlotSet;
    /// Gives slots from a magazine to the lane's set.
    fn give_to_set(&self, lane: Lane, slots: &[*mut u8]);
}

/// The places of each lane whose magazines are still to be emptied, one bit each.
struct Pending([[u64; PLACES.div_ceil(64)]; LANES]);

/// The reclaim lock, and the pending places, which only its holder knows.
pub(crate) struct Reclaim(TryLock<Pending>);

impl Reclaim {
    const_unless_modelled! {
        pub(crate) fn new() -> Self {
            Self(TryLock::new(Pending([[0; PLACES.div_ceil(64)]; LANES])))
        }
    }

    /// Makes `lanes` set-only, and moves the slots of each magazine whose owner is outside to the sets. Does
    /// nothing while another thread holds the lock.
    ///
    /// If the system denies the fence, cached lanes stay cached and keep their magazines as they are.
    ///
    /// Returns which lanes were cached until now. A caller that only wanted the slots can [let threads cache
    /// them again](Self::resume_caching).
    #[cold]
    pub(crate) fn revoke<const N: usize>(&self, store: &impl MagazineStore, lanes: [Lane; N]) -> [bool; N] {
        let revoked = self.0.try_with(|pending| {
            let closed = pending.close(store, lanes);
            for lane in lanes.into_iter().filter(|&lane| store.mode(lane).is_revoked()) {
                pending.empty_magazines(store, lane);
            }
            closed
        });
        revoked.unwrap_or([false; N])
    }

    /// Lets threads cache slots of the `closed` lanes again, however many are free. Clears the flag of each
    /// lane that is cached now. The other lanes have owners inside. The caller tries again, or leaves them to
    /// [`resume_caching_if_half_free`](Self::resume_caching_if_half_free).
    #[cold]
    pub(crate) fn resume_caching(&self, store: &impl MagazineStore, closed: &mut [bool; LANES]) {
        if !closed.contains(&true) {
            return;
        }
        self.0.try_with(|pending| {
            for (lane, closed) in Lane::ALL.into_iter().zip(closed).filter(|(_, closed)| **closed) {
                if store.mode(lane).is_revoked() {
                    pending.empty_magazines(store, lane);
                }
                if store.mode(lane).get() == LaneMode::SetOnly {
                    store.mode(lane).set(LaneMode::Cached);
                }
                *closed = !store.mode(lane).is_cached();
            }
        });
    }

    /// Lets threads cache slots of a revoked lane again, if no place is pending and half of the lane is free.
    #[cold]
    pub(super) fn resume_caching_if_half_free(&self, store: &impl MagazineStore, lane: Lane) {
        self.0.try_with(|pending| {
            if !store.mode(lane).is_revoked() {
                return;
            }
            pending.empty_magazines(store, lane);
            if store.mode(lane).get() == LaneMode::SetOnly && is_half_free(store.set(lane)) {
                store.mode(lane).set(LaneMode::Cached);
            }
        });
    }

    /// Opens the lock in the child of a `fork`, and makes all used places of revoked lanes pending. So a
    /// revocation that the `fork` cut short starts again.
    ///
    /// # Safety
    ///
    /// No other thread holds the lock or tries to take it.
    pub(crate) unsafe fn take_over(&self, store: &impl MagazineStore) {
        // SAFETY: by contract the holder, if there is one, is a thread of the parent that is not in this
        // process.
        unsafe { self.0.reopen() };
        self.0.try_with(|pending| {
            for lane in Lane::ALL {
                pending.0[lane.index()] = [0; PLACES.div_ceil(64)];
                if store.mode(lane).is_revoked() {
                    pending.add_all(lane, store.used_places());
                    store.mode(lane).set(LaneMode::Pending);
                }
            }
        });
    }
}

/// Whether enough of a set-only lane is free for it to be cached again. A lane that is always nearly full
/// stays set-only.
#[inline]
pub(super) fn is_half_free(set: &SlotSet) -> bool {
    set.free() * 2 >= set.slots()
}

impl Pending {
    /// Makes the cached ones of `lanes` set-only and all used places of them pending. Returns which lanes it
    /// changed: none if the system denies the fence.
    fn close<const N: usize>(&mut self, store: &impl MagazineStore, lanes: [Lane; N]) -> [bool; N] {
        let closed = lanes.map(|lane| {
            let is_cached = store.mode(lane).is_cached();
            if is_cached {
                store.mode(lane).set(LaneMode::SetOnly);
            }
            is_cached
        });
        if closed.contains(&true) && !heavy_fence() {
            // This thread has touched no magazine of another thread yet, so the owners may go on with theirs.
            lanes
                .into_iter()
                .zip(closed)
                .filter(|(_, closed)| *closed)
                .for_each(|(lane, _)| store.mode(lane).set(LaneMode::Cached));
            return [false; N];
        }
        for (lane, _) in lanes.into_iter().zip(closed).filter(|(_, closed)| *closed) {
            // This comes after the fence: a thread that claims a place later than this sees that the lane is
            // set-only.
            self.add_all(lane, store.used_places());
        }
        closed
    }

    fn add_all(&mut self, lane: Lane, places: usize) {
        for place in 0..places {
            self.0[lane.index()][place / 64] |= 1 << (place % 64);
        }
    }

    /// Empties the pending magazines of a lane that is not cached. Stores in the lane's mode whether places
    /// are still pending.
    fn empty_magazines(&mut self, store: &impl MagazineStore, lane: Lane) {
        invariant!(!store.mode(lane).is_cached(), "only magazines of a revoked lane are emptied");
        let mut is_settled = true;
        for (word, first) in self.0[lane.index()].iter_mut().zip((0..).step_by(64)) {
            let mut bits = *word;
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                bits ^= bit;
                let place = first + bit.trailing_zeros() as usize;
                if store.gate(place).is_open(store.key()) {
                    empty(store, lane, store.magazine(place, lane));
                    *word ^= bit;
                } else if store.gate(place).is_abandoned() {
                    *word ^= bit;
                } else {
                    is_settled = false;
                }
            }
        }
        store.mode(lane).set(if is_settled { LaneMode::SetOnly } else { LaneMode::Pending });
    }
}

/// Moves all slots of a magazine to the set.
fn empty(store: &impl MagazineStore, lane: Lane, magazine: &Magazine) {
    // This ends: the magazine's owner pushes nothing meanwhile.
    loop {
        let drained = magazine.drain();
        if drained.as_slice().is_empty() {
            return;
        }
        store.give_to_set(lane, drained.as_slice());
    }
}
