//! One thread's cached slots of one lane, and how a thread and a reclaim keep out of each other's way.
//!
//! A magazine is a small LIFO (Bonwick and Adams 2001) of free slots in front of a [`SlotSet`](crate::slots::slot_set), so that a hit
//! costs a few plain loads and stores. Its owner touches it only inside its [`Gate`](gate::Gate), and only if it then reads
//! [`LaneMode::Cached`](mode::LaneMode::Cached) from its lane; anybody else only during a [reclaim]:
//!
//! | owner | reclaim, under its lock |
//! |---|---|
//! | 1. closes its gate | 1. stores `SET_ONLY` into the lane's mode |
//! | 2. light fence | 2. heavy fence |
//! | 3. reads the mode (Acquire); leaves the magazine alone unless `CACHED` | 3. reads the gate (Acquire); leaves the magazine alone unless open |
//! | 4. opens its gate (Release) | 4. empties the magazine |
//!
//! At least one of the two sees the other (the fence pair), so never both have the magazine. An owner that was inside while the reclaim
//! looked is pending: the mode does not return to `CACHED` until its gate was seen open. So an owner may
//! have read the mode as long ago as it likes. A signal handler that interrupted the owner finds the gate closed, and goes to the set.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | the gate | its owner (Relaxed to close, Release to open), read by reclaims (Acquire) | all that the owner did inside |
//! | a mode | reclaims (SeqCst to revoke, Release to resume_caching_if_half_free), read by owners (Acquire) | that magazines are empty |
//! | `len`, `slots` | the owner inside, or a reclaim (Relaxed) | nothing: the gate and the mode do |

mod batch;
pub(crate) mod gate;
pub(crate) mod lane_pool;
pub(crate) mod mode;
pub(crate) mod reclaim;

use core::ptr;

use crate::fatal::invariant;
use crate::magazine::batch::Batch;
use crate::sync::{AtomicPtr, AtomicU32, Ordering::Relaxed, UnsyncLoad};
use crate::tunables::{MAGAZINE_BATCH, MAGAZINE_CAPACITY, MEETING_SCORE, WARM_SCORE};

/// The cache itself. All zeros is an empty one. Every method is for who has the magazine: see the table
/// above.
#[repr(C)]
pub(crate) struct Magazine {
    len: AtomicU32,
    capacity: AtomicU32,
    /// Refills that are still to be small ones, because it overflowed; with [`FRESH`] while none came since.
    small_refills_left: AtomicU32,
    /// Of a cold one, which takes nothing yet: how much use its owner would have had for it lately.
    visit_score: AtomicU32,
    /// Pointers to the slots' starts, because that is what a hit has to return.
    slots: [AtomicPtr<u8>; MAGAZINE_CAPACITY],
}

/// What an owner that found its magazine empty is to fetch from the set.
struct Refill {
    /// How many slots, 1 to [`MAGAZINE_BATCH`].
    slots: usize,
    /// Whether the magazine takes none of them.
    is_cold: bool,
}

/// What became of a slot that an owner gave.
struct Push {
    /// Whether the magazine took it.
    is_pushed: bool,
    /// Whether the magazine takes nothing.
    is_cold: bool,
    /// What was moved out to make room.
    spilled: Batch,
}

impl Magazine {
    #[cfg(not(framepool_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            len: AtomicU32::new(0),
            capacity: AtomicU32::new(0),
            small_refills_left: AtomicU32::new(0),
            visit_score: AtomicU32::new(0),
            slots: [const { AtomicPtr::new(ptr::null_mut()) }; MAGAZINE_CAPACITY],
        }
    }

    #[cfg(framepool_loom)]
    pub(crate) fn new() -> Self {
        Self {
            len: AtomicU32::new(0),
            capacity: AtomicU32::new(0),
            small_refills_left: AtomicU32::new(0),
            visit_score: AtomicU32::new(0),
            slots: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// Gets it ready for a new owner, whatever the last one left in it.
    pub(crate) fn reset(&self, capacity: usize) {
        self.set_capacity(capacity);
        self.small_refills_left.store(0, Relaxed);
        self.visit_score.store(0, Relaxed);
    }

    /// At most [`MAGAZINE_CAPACITY`].
    fn set_capacity(&self, slots: usize) {
        self.capacity.store(slots.min(MAGAZINE_CAPACITY) as u32, Relaxed);
    }

    /// Whether it takes nothing, because its owner had no use for it yet.
    #[inline]
    fn is_cold(&self) -> bool {
        self.capacity() == 0
    }

    /// To be called whenever the owner of a cold one came to the set: gives it `first` slots of capacity once that happens in a row, or
    /// meets others there.
    ///
    /// An owner that comes now and then, with others in between, stays cold: a slot in its magazine would save it nothing that counts,
    /// and be one more that is touched.
    fn warm_up(&self, came_last: bool, met_others: bool, first: usize) {
        let visit_score = self.visit_score.load(Relaxed);
        let visit_score = if came_last { visit_score + 1 } else { visit_score / 2 }
            + if met_others { MEETING_SCORE } else { 0 };
        self.visit_score.store(visit_score, Relaxed);
        if visit_score >= WARM_SCORE {
            self.set_capacity(first);
        }
    }

    /// To be called when it is empty: how many slots to fetch from the set, one at least.
    ///
    /// Half of what it takes, so that neither a take nor a give comes next to the set at once; half of that for some times after it
    /// overflowed, and half of that if it overflows again meanwhile. So an owner that takes and gives in bursts comes to have as many as a
    /// burst takes, to the slot, and then does not come to the set at all.
    ///
    /// A magazine that overflowed and now is empty was too small by that much: it doubles, up to `limit`. (One whose owner only
    /// takes, or only gives, stays as it is.)
    fn refill_size(&self, limit: usize) -> usize {
        let small_refills_left = self.small_refills_left.load(Relaxed);
        let doublings = u32::from(small_refills_left & FRESH != 0);
        let capacity = ((self.capacity() as usize) << doublings).min(limit);
        self.set_capacity(capacity);
        let small_refills_left = small_refills_left & !FRESH;
        self.small_refills_left.store(small_refills_left.saturating_sub(1), Relaxed);
        let share = 2 << small_refills_left.div_ceil(SMALL_REFILLS);
        capacity.div_ceil(share).clamp(1, MAGAZINE_BATCH)
    }

    /// Whether it had nothing a moment ago. For anybody.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Relaxed) == 0
    }

    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<*mut u8> {
        let len = self.len();
        if len == 0 {
            return None;
        }
        self.len.store(len - 1, Relaxed);
        Some(self.get(len - 1))
    }

    /// `false`, and nothing done, if it is full.
    #[inline(always)]
    pub(crate) fn push(&self, slot: *mut u8) -> bool {
        let len = self.len();
        if len >= self.capacity() {
            return false;
        }
        invariant!(!slot.is_null(), "a cached slot has an address");
        self.slot(len).store(slot, Relaxed);
        self.len.store(len + 1, Relaxed);
        true
    }

    /// Pops a slot, or tells what to fetch from the set in its place.
    fn pop_or_refill(&self, limit: usize) -> Result<*mut u8, Refill> {
        self.pop().ok_or_else(|| Refill { slots: self.refill_size(limit), is_cold: self.is_cold() })
    }

    /// Pushes a slot, after the older half was moved out if there was no room.
    fn push_or_spill(&self, slot: *mut u8) -> Push {
        if self.push(slot) {
            return Push { is_pushed: true, is_cold: false, spilled: Batch::EMPTY };
        }
        let is_cold = self.is_cold();
        let spilled = if self.is_empty() { Batch::EMPTY } else { self.spill_older_half() };
        // Still full if the place's last owner, in the parent of a `fork`, left more than fits this one's.
        Push { is_pushed: self.push(slot), is_cold, spilled }
    }

    /// Makes room: moves the older half out, or as much of it as a batch takes, the oldest first.
    fn spill_older_half(&self) -> Batch {
        let spilled = self.take_oldest(self.len().div_ceil(2));
        let halvings = (self.small_refills_left.load(Relaxed) & !FRESH).div_ceil(SMALL_REFILLS) + 1;
        self.small_refills_left.store(FRESH | (halvings.min(MAX_HALVINGS) * SMALL_REFILLS), Relaxed);
        spilled
    }

    /// Moves out as much as a batch takes: nothing when it is empty.
    ///
    /// From the top, by one store: when another thread forks, its child finds these slots still in the magazine, or lost, and never both in
    /// the magazine and in the set.
    #[inline]
    fn drain(&self) -> Batch {
        let len = self.len();
        let first = len - len.min(MAGAZINE_BATCH as u32);
        let drained = (first..len).map(|i| self.get(i)).collect();
        self.len.store(first, Relaxed);
        drained
    }

    /// What another thread sees in it, without having it.
    pub(crate) fn peek(&self) -> impl Iterator<Item = *mut u8> {
        (0..self.len.load(Relaxed)).map(|i| self.slot(i).load(Relaxed))
    }

    fn take_oldest(&self, slots: u32) -> Batch {
        let taken = slots.min(MAGAZINE_BATCH as u32);
        let batch = (0..taken).map(|i| self.get(i)).collect();
        let kept = self.len() - taken;
        for i in 0..kept {
            self.slot(i).store(self.get(taken + i), Relaxed);
        }
        self.len.store(kept, Relaxed);
        batch
    }

    #[inline(always)]
    fn len(&self) -> u32 {
        // SAFETY: the caller has the magazine.
        unsafe { self.len.load_unsync() }
    }

    #[inline(always)]
    fn capacity(&self) -> u32 {
        // SAFETY: the caller has the magazine.
        unsafe { self.capacity.load_unsync() }
    }

    #[inline(always)]
    fn get(&self, i: u32) -> *mut u8 {
        // SAFETY: the caller has the magazine.
        unsafe { self.slot(i).load_unsync() }
    }

    #[inline(always)]
    fn slot(&self, i: u32) -> &AtomicPtr<u8> {
        invariant!((i as usize) < MAGAZINE_CAPACITY, "a magazine holds no more than it has room for");
        // SAFETY: `len` and `capacity` stay at or below `MAGAZINE_CAPACITY`: `push` is the only one to add, and only below `capacity`. `i` is
        // below the one or the other.
        unsafe { self.slots.get_unchecked(i as usize) }
    }
}

/// In `small_refills_left`: no refill came since the last overflow.
const FRESH: u32 = 1 << 31;

/// How many refills after an overflow are small ones: enough to fetch half of a magazine one by one.
const SMALL_REFILLS: u32 = 16;

/// How small they become: single slots, of any magazine.
const MAX_HALVINGS: u32 = MAGAZINE_CAPACITY.ilog2();

#[cfg(all(test, not(framepool_loom)))]
mod tests;
