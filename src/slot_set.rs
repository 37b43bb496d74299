//! The free slots of one class: a bitmap in atomic words, one bit a slot, shared by all threads and lock-free.
//!
//! Takes the lowest free slot, so that the touched part of a slab stays small; gives with one atomic
//! operation, whose old value, where it is asked for, betrays a second give of the same slot. There are no links: no ABA, nothing that a stray write could redirect, nothing
//! to repair after `fork`. A refusal costs one load. A set has two lanes: the open slots, and the last ones, held back for
//! those who are entitled to them.
//!
//! **Up to 64 slots** are one word, `level` itself: take and give are one atomic operation each.
//!
//! **More slots** are an array of words behind `level`, which then counts *permits*: free slots, the open lane's in
//! its low half and the held-back lane's in its high half. A take gets a permit first and then looks for a bit, a
//! give sets its bit first and then adds a permit. So there are never fewer bits than permits, whoever holds a permit
//! will find a bit, and nobody refuses while a slot is free. A thread stopped half-way keeps back the one slot that it was
//! moving. Which words to look at is a hint, a summary bit for each group of words:
//!
//! | giver | taker that emptied a group |
//! |---|---|
//! | 1. sets the slot's bit (SeqCst) | 1. clears the summary bit (SeqCst) |
//! | 2. reads the summary bit (SeqCst), sets it if clear | 2. reads the words (SeqCst), sets the summary bit if one is not 0 |
//!
//! Whichever of the two first steps comes last, the second step after it sees the other. A hint that is missing all the same,
//! because a thread stopped between its steps, costs those with a permit a scan of the words, nothing else.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `level`, words | takers (Acquire), givers (Release) | the slot's contents, its byte in the slot map |
//! | `level` as permits | takers (Acquire), givers (Release) | the bit that the permit stands for |
//! | `summaries` | givers, takers (SeqCst) | nothing; the table above |
//! | `peak` | takers (Relaxed) | nothing |

use core::ptr::NonNull;

use crate::recent::Recent;
use crate::sync::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};
use crate::tunables::LINE_PAIR;

/// The most slots that a set can index: 64 groups of 32 words of 64 bits.
pub(crate) const MAX_SLOTS: usize = 64 * MAX_GROUP_WORDS * WORD_SLOTS;

const MAX_GROUP_WORDS: usize = 32;
const WORD_SLOTS: usize = u64::BITS as usize;

/// Which of a set's slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lane {
    Open,
    Held,
}

/// Lives in the metadata. What never changes after [`new`](Self::new) is kept off the lines that threads write, so that a give
/// to a contended set fetches its line once, and for writing.
#[repr(C)]
pub(crate) struct SlotSet {
    slots: usize,
    /// Slots from this index on are held back.
    held_from: usize,
    /// The part of `level` that speaks for the slots that everybody may have.
    open: u64,
    /// Null for a set of one word.
    words: *const AtomicU64,
    /// Words of a group: `1 << group_shift`.
    group_shift: u32,
    shared: SharedPart,
}

#[repr(C, align(128))]
struct SharedPart {
    level: AtomicU64,
    summaries: [AtomicU64; 2],
    peak: AtomicU64,
}

const _: () = assert!(align_of::<SharedPart>() == LINE_PAIR, "give SharedPart the alignment of LINE_PAIR");

/// A set was given a slot that it has: the slot was freed twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AlreadyFree;

impl SlotSet {
    /// How many words `new` needs for `slots` slots, of which the last `held` are held back.
    pub(crate) const fn words_needed(slots: usize, held: usize) -> usize {
        if slots <= WORD_SLOTS { 0 } else { (slots - held).div_ceil(WORD_SLOTS) + held.div_ceil(WORD_SLOTS) }
    }

    /// A full set.
    ///
    /// # Safety
    ///
    /// `words` points to [`words_needed`](Self::words_needed) zeroed words that nobody else uses and that outlive the set.
    pub(crate) unsafe fn new(words: NonNull<AtomicU64>, slots: usize, held: usize) -> Self {
        let held_from = slots - held;
        let open_words = held_from.div_ceil(WORD_SLOTS);
        let one_word = Self::words_needed(slots, held) == 0;
        let longest = open_words.max(held.div_ceil(WORD_SLOTS));
        let level = if one_word { ones(slots) } else { held_from as u64 | (held as u64) << 32 };
        let set = Self {
            slots,
            held_from,
            open: if one_word { ones(held_from) } else { u64::from(u32::MAX) },
            words: if one_word { core::ptr::null() } else { words.as_ptr() },
            group_shift: longest.div_ceil(64).next_power_of_two().trailing_zeros(),
            shared: SharedPart {
                level: AtomicU64::new(level),
                summaries: [AtomicU64::new(0), AtomicU64::new(0)],
                peak: AtomicU64::new(0),
            },
        };
        if !one_word {
            set.fill(Lane::Open, held_from);
            set.fill(Lane::Held, held);
        }
        set
    }

    fn fill(&self, lane: Lane, slots: usize) {
        for word in 0..slots.div_ceil(WORD_SLOTS) {
            self.word(lane, word).store(ones((slots - word * WORD_SLOTS).min(WORD_SLOTS)), Relaxed);
            self.shared.summaries[lane as usize].fetch_or(1 << (word >> self.group_shift), Relaxed);
        }
    }

    /// Whether nothing is left for those who are `entitled`, or for those who are not. One load.
    #[inline(always)]
    pub(crate) fn is_exhausted(&self, entitled: bool) -> bool {
        self.shared.level.load(Relaxed) & if entitled { u64::MAX } else { self.open } == 0
    }

    /// Takes the lowest free slot: a held-back one first if `entitled`, an open one otherwise.
    ///
    /// `None` only if no slot was free at some moment of the call. Lock-free.
    pub(crate) fn take(&self, entitled: bool) -> Option<usize> {
        if self.is_one_word() { self.take_bit(entitled) } else { self.take_permit(entitled) }
    }

    /// [`take`](Self::take) where that is one atomic operation and nothing else: in a set of one word, at the first try, without
    /// a new peak. Short enough to be inlined, and calls nothing. A slot that the thread gave recently comes first.
    #[inline(always)]
    pub(crate) fn take_quickly(&self, entitled: bool, recent: &Recent) -> Option<usize> {
        if let Some(index) = recent.pick(if entitled { !self.open } else { self.open })
            && self.claim(index)
        {
            return Some(index);
        }
        let level = self.shared.level.load(Relaxed);
        let choice = self.choice(level, entitled);
        let left = level & !(choice & choice.wrapping_neg());
        let in_use = self.slots as u64 - u64::from(left.count_ones());
        if !self.is_one_word() || choice == 0 || in_use > self.shared.peak.load(Relaxed) {
            return None;
        }
        if self.shared.level.compare_exchange(level, left, Acquire, Relaxed).is_err() {
            recent.lost_a_race();
            return None;
        }
        Some(choice.trailing_zeros() as usize)
    }

    /// Takes slot `index` of a set of one word if it is free.
    #[inline(always)]
    fn claim(&self, index: usize) -> bool {
        let bit = 1 << index;
        let claimed = self.shared.level.fetch_and(!bit, Acquire) & bit != 0;
        if claimed {
            // The line is this processor's now, so a look at it costs nothing.
            self.note_peak(self.shared.level.load(Relaxed));
        }
        claimed
    }

    /// Gives slot `index` back. Lock-free. An error leaves the set as it was.
    pub(crate) fn give(&self, index: usize) -> Result<(), AlreadyFree> {
        if !self.is_one_word() {
            return self.give_permit(index);
        }
        let bit = 1 << index;
        if self.shared.level.fetch_or(bit, Release) & bit == 0 { Ok(()) } else { Err(AlreadyFree) }
    }

    /// Whether the set is one word, so that [`give_bit`](Self::give_bit) may be called.
    #[inline(always)]
    pub(crate) fn is_one_word(&self) -> bool {
        self.words.is_null()
    }

    /// Slots that are not in the set: exact at some moment of the call.
    pub(crate) fn in_use(&self) -> usize {
        self.slots - self.free_of(self.shared.level.load(Relaxed))
    }

    /// The highest `in_use` that any take or this call saw; a give that races with a claimed hint may hide one slot.
    pub(crate) fn peak(&self) -> usize {
        self.note_peak(self.shared.level.load(Relaxed));
        self.shared.peak.load(Relaxed) as usize
    }

    fn free_of(&self, level: u64) -> usize {
        if self.is_one_word() {
            level.count_ones() as usize
        } else {
            permits(level, Lane::Open) + permits(level, Lane::Held)
        }
    }

    #[inline]
    fn note_peak(&self, level: u64) {
        let in_use = (self.slots - self.free_of(level)) as u64;
        if in_use > self.shared.peak.load(Relaxed) {
            self.shared.peak.fetch_max(in_use, Relaxed);
        }
    }

    /// The slots of a one-word set from which to take the lowest.
    #[inline(always)]
    fn choice(&self, level: u64, entitled: bool) -> u64 {
        let held = if entitled { level & !self.open } else { 0 };
        if held != 0 { held } else { level & self.open }
    }

    /// [`give`](Self::give) in a set of one word, by somebody who knows that the slot is out.
    ///
    /// Does not ask how the bit was before: x86 takes some 2 ns longer to set a bit and tell.
    #[inline(always)]
    pub(crate) fn give_bit(&self, index: usize) {
        self.shared.level.fetch_or(1 << index, Release);
    }

    fn take_bit(&self, entitled: bool) -> Option<usize> {
        let mut level = self.shared.level.load(Relaxed);
        // Each failure means that another thread took or gave a slot.
        loop {
            let choice = self.choice(level, entitled);
            if choice == 0 {
                return None;
            }
            let left = level & !(choice & choice.wrapping_neg());
            match self.shared.level.compare_exchange_weak(level, left, Acquire, Relaxed) {
                Ok(_) => {
                    self.note_peak(left);
                    return Some(choice.trailing_zeros() as usize);
                }
                Err(now) => level = now,
            }
        }
    }

    #[inline(never)]
    fn take_permit(&self, entitled: bool) -> Option<usize> {
        let mut level = self.shared.level.load(Relaxed);
        // Each failure means that another thread took or gave a slot.
        loop {
            let lane = if entitled && permits(level, Lane::Held) > 0 { Lane::Held } else { Lane::Open };
            if permits(level, lane) == 0 {
                return None;
            }
            let left = level - permit(lane);
            match self.shared.level.compare_exchange_weak(level, left, Acquire, Relaxed) {
                Ok(_) => {
                    self.note_peak(left);
                    return Some(self.find(lane));
                }
                Err(now) => level = now,
            }
        }
    }

    #[inline(never)]
    fn give_permit(&self, index: usize) -> Result<(), AlreadyFree> {
        let (lane, position) =
            if index < self.held_from { (Lane::Open, index) } else { (Lane::Held, index - self.held_from) };
        let (word, bit) = (position / WORD_SLOTS, 1 << (position % WORD_SLOTS));
        if self.word(lane, word).fetch_or(bit, SeqCst) & bit != 0 {
            return Err(AlreadyFree);
        }
        let summary = &self.shared.summaries[lane as usize];
        let hint = 1 << (word >> self.group_shift);
        if summary.load(SeqCst) & hint == 0 {
            summary.fetch_or(hint, SeqCst);
        }
        self.shared.level.fetch_add(permit(lane), Release);
        Ok(())
    }

    /// Turns a permit into a slot. Ends: a permit stands for a bit, so a pass that finds none was overtaken by another
    /// thread, which found one.
    fn find(&self, lane: Lane) -> usize {
        loop {
            let mut hints = self.shared.summaries[lane as usize].load(Relaxed);
            while hints != 0 {
                if let Some(index) = self.take_in_group(lane, hints.trailing_zeros() as usize) {
                    return index;
                }
                hints &= hints - 1;
            }
            let groups = self.lane_words(lane).div_ceil(1 << self.group_shift);
            if let Some(index) = (0..groups).find_map(|group| self.take_in_group(lane, group)) {
                return index;
            }
        }
    }

    fn take_in_group(&self, lane: Lane, group: usize) -> Option<usize> {
        let taken = self.group(lane, group).find_map(|word| {
            let mut bits = self.word(lane, word).load(Relaxed);
            while bits != 0 {
                let left = bits & (bits - 1);
                match self.word(lane, word).compare_exchange_weak(bits, left, Acquire, Relaxed) {
                    Ok(_) => return Some((word * WORD_SLOTS + bits.trailing_zeros() as usize, left)),
                    Err(now) => bits = now,
                }
            }
            None
        });
        if taken.is_none_or(|(_, left)| left == 0) {
            self.clear_hint_if_empty(lane, group);
        }
        let first = if lane == Lane::Open { 0 } else { self.held_from };
        taken.map(|(position, _)| first + position)
    }

    #[cold]
    fn clear_hint_if_empty(&self, lane: Lane, group: usize) {
        let is_empty = || self.group(lane, group).all(|word| self.word(lane, word).load(SeqCst) == 0);
        let (summary, hint) = (&self.shared.summaries[lane as usize], 1 << group);
        if is_empty() && summary.load(Relaxed) & hint != 0 {
            summary.fetch_and(!hint, SeqCst);
            if !is_empty() {
                summary.fetch_or(hint, SeqCst);
            }
        }
    }

    fn lane_words(&self, lane: Lane) -> usize {
        match lane {
            Lane::Open => self.held_from.div_ceil(WORD_SLOTS),
            Lane::Held => (self.slots - self.held_from).div_ceil(WORD_SLOTS),
        }
    }

    /// The words of one group of a lane.
    fn group(&self, lane: Lane, group: usize) -> core::ops::Range<usize> {
        let first = group << self.group_shift;
        first..(first + (1 << self.group_shift)).min(self.lane_words(lane))
    }

    fn word(&self, lane: Lane, word: usize) -> &AtomicU64 {
        let before = if lane == Lane::Open { 0 } else { self.held_from.div_ceil(WORD_SLOTS) };
        // SAFETY: `new` was given `words_needed` words, the open lane's before the held lane's, and `word` is one of the
        // lane's: it comes from `group`, which stops at `lane_words`, or from the index of a slot that the set has.
        unsafe { &*self.words.add(before + word) }
    }
}

/// The low `n` bits.
const fn ones(n: usize) -> u64 {
    if n == 0 { 0 } else { u64::MAX >> (WORD_SLOTS - n) }
}

const fn permit(lane: Lane) -> u64 {
    1 << (32 * lane as u32)
}

const fn permits(level: u64, lane: Lane) -> usize {
    (level >> (32 * lane as u32)) as u32 as usize
}

#[cfg(test)]
mod tests;
