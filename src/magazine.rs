//! One thread's cached slots of one lane, and how the owner and a reclaim never use them at the same time.
//!
//! A magazine is a small LIFO (Bonwick and Adams 2001) of free slots in front of a
//! [`SlotSet`](crate::slots::slot_set). With it, a hit costs a few plain loads and stores. The owner touches
//! it only inside its [`Gate`](gate::Gate), and only if it then reads
//! [`LaneMode::Cached`](mode::LaneMode::Cached) from the lane. Other threads touch it only during a
//! [reclaim]:
//!
//! | owner | reclaim, under its lock |
//! |---|---|
//! | 1. closes its gate | 1. stores `SetOnly` into the lane's mode |
//! | 2. light fence | 2. heavy fence |
//! | 3. reads the mode (Acquire); leaves the magazine alone unless `Cached` | 3. reads the gate (Acquire); leaves the magazine alone unless open |
//! | 4. opens its gate (Release) | 4. empties the magazine |
//!
//! The fence pair makes at least one of the two see the other's first step. So the two never use the magazine
//! at the same time. If the owner was inside when the reclaim looked, its place is pending. The mode returns
//! to `Cached` only after the reclaim has seen that gate open. So it does not matter how long ago an owner
//! read the mode. A signal handler that interrupted the owner inside finds the gate closed, and uses the set.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | the gate | its owner (Relaxed to close, Release to open), read by reclaims (Acquire) | all that the owner did inside |
//! | a mode | reclaims (SeqCst; resuming needs its Release), read by owners (Acquire) | that magazines are empty |
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

/// The cache itself. All zeros is an empty magazine. Unless they say otherwise, methods are for the thread
/// that has the magazine: see the table above.
#[repr(C)]
pub(crate) struct Magazine {
    len: AtomicU32,
    capacity: AtomicU32,
    /// The number of refills that are still to be small, because the magazine overflowed. [`FRESH`] is set
    /// until the first refill after an overflow.
    small_refills_left: AtomicU32,
    /// How much use the owner of a cold magazine, which takes nothing yet, would have had for it lately.
    visit_score: AtomicU32,
    /// Pointers to the starts of slots, because a hit returns one.
    slots: [AtomicPtr<u8>; MAGAZINE_CAPACITY],
}

/// The refill that an owner needs when it found its magazine empty.
struct Refill {
    /// The number of slots to fetch from the set, 1 to [`MAGAZINE_BATCH`].
    slots: usize,
    /// Whether the magazine takes none of them.
    is_cold: bool,
}

/// The result of pushing a slot that the owner gave.
struct Push {
    /// Whether the magazine took the slot.
    is_pushed: bool,
    /// Whether the magazine takes nothing.
    is_cold: bool,
    /// The slots that were moved out to make room.
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

    /// Prepares the magazine for a new owner, without the habits of the last one.
    pub(crate) fn reset(&self, capacity: usize) {
        self.set_capacity(capacity);
        self.small_refills_left.store(0, Relaxed);
        self.visit_score.store(0, Relaxed);
    }

    /// Sets the capacity, at most [`MAGAZINE_CAPACITY`].
    fn set_capacity(&self, slots: usize) {
        self.capacity.store(slots.min(MAGAZINE_CAPACITY) as u32, Relaxed);
    }

    /// Whether the magazine takes nothing, because its owner had no use for it yet.
    #[inline]
    fn is_cold(&self) -> bool {
        self.capacity() == 0
    }

    /// Records one visit to the set by the owner of a cold magazine. The magazine gets a capacity of `first`
    /// slots once the owner visits often in a row, or meets other threads there.
    ///
    /// An owner that visits rarely, with other threads in between, keeps a cold magazine. A cached slot would
    /// save it no measurable time, and would be one more slot that is touched.
    fn warm_up(&self, came_last: bool, met_others: bool, first: usize) {
        let visit_score = self.visit_score.load(Relaxed);
        let visit_score = if came_last { visit_score + 1 } else { visit_score / 2 }
            + if met_others { MEETING_SCORE } else { 0 };
        self.visit_score.store(visit_score, Relaxed);
        if visit_score >= WARM_SCORE {
            self.set_capacity(first);
        }
    }

    /// Returns how many slots to fetch from the set into an empty magazine: at least one.
    ///
    /// A refill is half of the capacity, so that neither a take nor a give has to visit the set right after.
    /// The [`SMALL_REFILLS`] refills after an overflow are half of that. Another overflow in that time halves
    /// them again. So an owner that takes and gives in bursts comes to cache exactly as many slots as a burst
    /// takes. Then it does not visit the set at all.
    ///
    /// A magazine that overflowed and then ran dry was too small for its owner's bursts. It doubles, up to
    /// `limit`. If the owner only takes or only gives, the capacity stays as it is.
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

    /// Whether the magazine was empty a moment ago. Any thread may ask.
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

    /// Pushes a slot. If the magazine is full, returns `false` and changes nothing.
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

    /// Pops a slot, or returns what to fetch from the set instead.
    fn pop_or_refill(&self, limit: usize) -> Result<*mut u8, Refill> {
        self.pop().ok_or_else(|| Refill { slots: self.refill_size(limit), is_cold: self.is_cold() })
    }

    /// Pushes a slot. If there is no room, it first moves the older half out.
    fn push_or_spill(&self, slot: *mut u8) -> Push {
        if self.push(slot) {
            return Push { is_pushed: true, is_cold: false, spilled: Batch::EMPTY };
        }
        let is_cold = self.is_cold();
        let spilled = if self.is_empty() { Batch::EMPTY } else { self.spill_older_half() };
        // The magazine can still be full: in the parent of a `fork`, the place's last owner may have left
        // more slots than this owner's capacity.
        Push { is_pushed: self.push(slot), is_cold, spilled }
    }

    /// Makes room: moves the older half out, oldest first, or as much of it as fits a batch.
    fn spill_older_half(&self) -> Batch {
        let spilled = self.take_oldest(self.len().div_ceil(2));
        let halvings = (self.small_refills_left.load(Relaxed) & !FRESH).div_ceil(SMALL_REFILLS) + 1;
        self.small_refills_left.store(FRESH | (halvings.min(MAX_HALVINGS) * SMALL_REFILLS), Relaxed);
        spilled
    }

    /// Moves out as many slots as fit a batch. The batch is empty if the magazine is.
    ///
    /// The slots come from the top, by one store. If another thread forks meanwhile, its child finds these
    /// slots still in the magazine, or lost. It never finds a slot both in the magazine and in the set.
    #[inline]
    fn drain(&self) -> Batch {
        let len = self.len();
        let first = len - len.min(MAGAZINE_BATCH as u32);
        let drained = (first..len).map(|i| self.get(i)).collect();
        self.len.store(first, Relaxed);
        drained
    }

    /// Returns the slots that a thread without the magazine sees in it.
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
        // SAFETY: `len` and `capacity` stay at or below `MAGAZINE_CAPACITY`: only `push` adds slots, and only
        // below `capacity`. `i` is below one of the two.
        unsafe { self.slots.get_unchecked(i as usize) }
    }
}

/// A flag in `small_refills_left`: no refill has come since the last overflow.
const FRESH: u32 = 1 << 31;

/// The number of small refills after an overflow: enough to fetch half of a magazine one by one.
const SMALL_REFILLS: u32 = 16;

/// The maximum number of halvings: with this many, a refill of any magazine is a single slot.
const MAX_HALVINGS: u32 = MAGAZINE_CAPACITY.ilog2();

#[cfg(all(test, not(framepool_loom)))]
mod tests;
