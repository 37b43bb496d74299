//! How slots come back out of other threads' magazines, so that no lane refuses while one of its slots is free (P3).
//!
//! A lane is either *cached* or *set-only*. A take that finds neither its magazine nor the set of any use revokes the lane's
//! magazines: it makes the lane set-only, fences once, and empties every magazine whose owner is outside. Those seen inside
//! are remembered and emptied later, without another fence, because the mode never left set-only. The lane
//! returns to cached once nothing is pending and half of it is free. While it is set-only a miss is one load, so an exhausted lane
//! costs neither fences nor scans, not with one give per take either.
//!
//! A revocation that brought back a quarter of the lane was called for by magazines that held too much: they may grow to half as much from then
//! on. So a program whose threads would cache more than there is comes to rest after a few.
//!
//! A trim calls in what is cached because it wants the slots. It lets the lanes back itself, whatever is free, and no magazine grows less for it.
//!
//! The lock is only ever tried. A thread stopped with it keeps lanes from changing their mode, nothing else: takes and gives go
//! on with the sets. A pass looks at each place that was ever used once, [`PLACES`] at most, and fences at most once.

use crate::lane::{LANES, Lane};
use crate::magazine::{Gate, Magazine, Mode, NO_SLOTS};
use crate::slot_set::SlotSet;
use crate::sync::{AtomicUsize, Ordering::Relaxed, TryLock, heavy_fence};
use crate::tunables::{MAGAZINE_LEAST, PLACES};

/// What a reclaim works on.
pub(crate) trait Caches {
    /// What an open gate holds.
    fn key(&self) -> usize;
    /// Places that ever had an owner are below this.
    fn used_places(&self) -> usize;
    fn gate(&self, place: usize) -> &Gate;
    fn magazine(&self, place: usize, lane: Lane) -> &Magazine;
    fn mode(&self, lane: Lane) -> &Mode;
    fn set(&self, lane: Lane) -> &SlotSet;
    /// What a lane's magazines may grow to.
    fn limit(&self, lane: Lane) -> &AtomicUsize;
    /// Gives slots out of a magazine to the lane's set.
    fn give_to_set(&self, lane: Lane, slots: &[*mut u8]);
}

/// For each lane, the places whose magazines are still to be emptied, a bit each.
struct Pending([[u64; PLACES.div_ceil(64)]; LANES]);

/// The lock, and what only its holder knows.
pub(crate) struct Reclaim(TryLock<Pending>);

impl Reclaim {
    pub(crate) fn new() -> Self {
        Self(TryLock::new(Pending([[0; PLACES.div_ceil(64)]; LANES])))
    }

    /// Makes `lanes` set-only and moves what their magazines hold to the sets, as far as the magazines' owners are outside. Does
    /// nothing while another thread is at it.
    #[cold]
    pub(crate) fn revoke<const N: usize>(&self, caches: &impl Caches, lanes: [Lane; N]) {
        self.0.try_with(|pending| {
            let revoked = pending.close(caches, lanes);
            for (lane, revoked) in lanes.into_iter().zip(revoked) {
                if caches.mode(lane).get() != Mode::OFF {
                    let moved = pending.empty_magazines(caches, lane);
                    let limit = caches.limit(lane).load(Relaxed);
                    if revoked && moved * 4 >= caches.set(lane).slots() && limit > MAGAZINE_LEAST {
                        caches.limit(lane).store(limit / 2, Relaxed);
                    }
                }
            }
        });
    }

    /// Moves what is cached of a lane to its set, as far as the owners are outside: because somebody wants the slots there, not
    /// because the lane is dry, so no limit changes. Does nothing while another thread is at it.
    ///
    /// Returns whether the lane was cached, and is to be [let back](Self::let_back).
    #[cold]
    pub(crate) fn call_in(&self, caches: &impl Caches, lane: Lane) -> bool {
        let called_in = self.0.try_with(|pending| {
            let [closed] = pending.close(caches, [lane]);
            if caches.mode(lane).get() != Mode::OFF {
                pending.empty_magazines(caches, lane);
            }
            closed
        });
        called_in.unwrap_or(false)
    }

    /// Lets the threads cache slots of `closed` lanes again, whatever is free, and takes off those of which they do. The others have owners
    /// inside: to be tried again, or left to [`restore`](Self::restore).
    #[cold]
    pub(crate) fn let_back(&self, caches: &impl Caches, closed: &mut [bool; LANES]) {
        if !closed.contains(&true) {
            return;
        }
        self.0.try_with(|pending| {
            for (lane, closed) in Lane::ALL.into_iter().zip(closed).filter(|(_, closed)| **closed) {
                if caches.mode(lane).is_revoked() {
                    pending.empty_magazines(caches, lane);
                }
                if caches.mode(lane).get() == Mode::SET_ONLY {
                    caches.mode(lane).set(Mode::CACHED);
                }
                *closed = !caches.mode(lane).is_cached();
            }
        });
    }

    /// Lets the threads cache slots of a set-only lane again, if nothing is pending and half of it is free.
    #[cold]
    pub(crate) fn restore(&self, caches: &impl Caches, lane: Lane) {
        self.0.try_with(|pending| {
            if !caches.mode(lane).is_revoked() {
                return;
            }
            pending.empty_magazines(caches, lane);
            if caches.mode(lane).get() == Mode::SET_ONLY && is_half_free(caches.set(lane)) {
                caches.mode(lane).set(Mode::CACHED);
            }
        });
    }

    /// After a `fork`, for the only thread there is: opens the lock, and starts a revocation that may have been cut short again.
    ///
    /// # Safety
    ///
    /// No other thread is inside, or tries to get there.
    pub(crate) unsafe fn take_over(&self, caches: &impl Caches) {
        // SAFETY: by contract the holder, if there is one, is a thread that did not come along.
        unsafe { self.0.reopen() };
        self.0.try_with(|pending| {
            for lane in Lane::ALL {
                pending.0[lane.index()] = [0; PLACES.div_ceil(64)];
                if caches.mode(lane).is_revoked() {
                    pending.add_all(lane, caches.used_places());
                    caches.mode(lane).set(Mode::PENDING);
                }
            }
        });
    }
}

/// What it takes for a set-only lane to be cached again. A lane that lives at its limit stays set-only.
#[inline]
pub(crate) fn is_half_free(set: &SlotSet) -> bool {
    set.free() * 2 >= set.slots()
}

impl Pending {
    /// Makes set-only those of `lanes` that are cached, and all their magazines pending; returns which.
    fn close<const N: usize>(&mut self, caches: &impl Caches, lanes: [Lane; N]) -> [bool; N] {
        let closed = lanes.map(|lane| {
            let is_cached = caches.mode(lane).is_cached();
            if is_cached {
                caches.mode(lane).set(Mode::SET_ONLY);
            }
            is_cached
        });
        if closed.contains(&true) {
            heavy_fence();
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

    /// Of a lane that is not cached. Says in the lane's mode whether some are still pending, and returns how many slots came back.
    fn empty_magazines(&mut self, caches: &impl Caches, lane: Lane) -> usize {
        let mut all_moved = 0;
        let mut is_settled = true;
        for (word, first) in self.0[lane.index()].iter_mut().zip((0..).step_by(64)) {
            let mut bits = *word;
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                bits ^= bit;
                let place = first + bit.trailing_zeros() as usize;
                if caches.gate(place).is_open(caches.key()) {
                    all_moved += empty(caches, lane, caches.magazine(place, lane));
                    *word ^= bit;
                } else if caches.gate(place).is_abandoned() {
                    *word ^= bit;
                } else {
                    is_settled = false;
                }
            }
        }
        caches.mode(lane).set(if is_settled { Mode::SET_ONLY } else { Mode::PENDING });
        all_moved
    }
}

/// Moves all that a magazine holds to the set.
fn empty(caches: &impl Caches, lane: Lane, magazine: &Magazine) -> usize {
    let mut all_moved = 0;
    let mut slots = NO_SLOTS;
    loop {
        let moved = magazine.empty(&mut slots);
        if moved == 0 {
            return all_moved;
        }
        caches.give_to_set(lane, &slots[..moved]);
        all_moved += moved;
    }
}
