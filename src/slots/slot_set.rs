//! The free slots of one lane: a bitmap in atomic words, one bit for each slot, shared by all threads and
//! lock-free.
//!
//! Takes prefer the lowest free slots, which keeps the touched part of a slab small. A take or give moves
//! several slots with one atomic operation if they lie in one word. The old value of a word shows that a slot
//! was given twice. There are no links. So there is no ABA, no pointer that a stray write could redirect, and
//! nothing to repair after `fork`.
//!
//! # Up to 64 slots
//!
//! `level` itself is the one word of bits. A take and a give are one atomic operation each.
//!
//! # More than 64 slots
//!
//! The bits are an array of words, and `level` counts *permits*: free slots. A take gets its permits first
//! and then looks for as many bits. A give sets its bits first and then adds the permits. So there are never
//! fewer bits than permits. A thread that holds a permit finds a bit, and no take fails while a slot is
//! free. A thread that stopped between the two steps keeps back only the slots that it was moving.
//!
//! A summary bit for each group of words is a hint at which words to look:
//!
//! | giver | taker that emptied a group |
//! |---|---|
//! | 1. sets the slot's bit (SeqCst) | 1. clears the summary bit (SeqCst) |
//! | 2. reads the summary bit (SeqCst), sets it if clear | 2. reads the words (SeqCst), sets the summary bit if one is not 0 |
//!
//! One of the two first steps comes last. The second step of that thread then sees the other thread's first
//! step, and the summary bit is set. A hint is missing only while a thread is stopped between its steps.
//! Then a take that holds a permit scans the words, and finds its bit.
//!
//! # Cost
//!
//! A take that fails costs one load. At best, a take or a give is one atomic operation up to 64 slots, and two above
//! that. A compare-and-swap fails only if another thread took or gave a slot. At worst, a take scans all
//! words, and scans them again only if another thread took the bit that it was looking for.
//!
//! # Fields
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `level`, words | takers (Acquire), givers (SeqCst; AcqRel in `level`) | the slots' contents, their bytes in the slot map; what [`order_with_gives`](SlotSet::order_with_gives) says |
//! | `level` as permits | takers (Acquire), givers (AcqRel) | the bits that the permits stand for; the same |
//! | `summary` | givers, takers (SeqCst) | nothing; the table above |
//! | `visitor` | owners of cold magazines, when they visit (Relaxed) | nothing |

use core::ops::Range;
use core::ptr::NonNull;

use crate::fatal::invariant;
use crate::layout::{layout_of, mix_all};
use crate::sync::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
    lost_race,
};
use crate::tunables::{IS_MODEL, LINE_PAIR};

/// The maximum number of slots in a set: 64 groups of 32 words of 64 bits.
pub(crate) const MAX_SLOTS: usize = MAX_GROUPS * MAX_GROUP_WORDS * WORD_SLOTS;

const MAX_GROUPS: usize = if IS_MODEL { 2 } else { 64 };
const MAX_GROUP_WORDS: usize = 32;
/// The number of slots in a word.
const WORD_SLOTS: usize = if IS_MODEL { 2 } else { 64 };

/// A slot set, which lies in the metadata. Fields that never change after [`new`](Self::new) are not on the
/// cache line that threads write.
#[repr(C)]
pub(crate) struct SlotSet {
    slots: usize,
    /// The words; null for a set of one word.
    words: *const AtomicU64,
    /// The binary logarithm of the number of words in a group.
    group_shift: u32,
    shared: SharedPart,
}

#[repr(C, align(128))]
struct SharedPart {
    level: AtomicU64,
    summary: AtomicU64,
    /// The last visitor that [arrived](SlotSet::arrive).
    visitor: AtomicU32,
}

const _: () = assert!(align_of::<SharedPart>() == LINE_PAIR, "give SharedPart the alignment of LINE_PAIR");

// SAFETY: all that changes in a set is atomic, and its words outlive it, by `new`'s contract.
unsafe impl Sync for SlotSet {}
// SAFETY: all that changes in a set is atomic, and its words outlive it, by `new`'s contract.
unsafe impl Send for SlotSet {}

/// The error of a give: the set already has this slot, which was therefore freed twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AlreadyFree(pub(crate) usize);

impl SlotSet {
    pub(crate) const LAYOUT: u64 = mix_all(&[
        layout_of!(SlotSet { slots, words, group_shift, shared }),
        layout_of!(SharedPart { level, summary, visitor }),
    ]);

    /// Returns how many words `new` needs for `slots` slots.
    pub(crate) const fn words_needed(slots: usize) -> usize {
        if slots <= WORD_SLOTS { 0 } else { slots.div_ceil(WORD_SLOTS) }
    }

    /// Returns a full set of the slots `0..slots`.
    ///
    /// # Safety
    ///
    /// `words` points to [`words_needed`](Self::words_needed) zeroed words, which nothing else uses and which
    /// outlive the set.
    pub(crate) unsafe fn new(words: NonNull<AtomicU64>, slots: usize) -> Self {
        let word_count = Self::words_needed(slots);
        let one_word = word_count == 0;
        let set = Self {
            slots,
            words: if one_word { core::ptr::null() } else { words.as_ptr() },
            group_shift: word_count.div_ceil(MAX_GROUPS).next_power_of_two().trailing_zeros(),
            shared: SharedPart {
                level: AtomicU64::new(if one_word { ones(slots) } else { slots as u64 }),
                summary: AtomicU64::new(0),
                visitor: AtomicU32::new(0),
            },
        };
        for word in 0..word_count {
            set.word(word).store(ones((slots - word * WORD_SLOTS).min(WORD_SLOTS)), Relaxed);
            set.shared.summary.fetch_or(set.hint(word), Relaxed);
        }
        set
    }

    pub(crate) const fn slots(&self) -> usize {
        self.slots
    }

    /// Returns the address of the words, which have a bit for each slot; 0 for a set of [one word](Self::level).
    pub(crate) fn words_address(&self) -> usize {
        self.words.addr()
    }

    /// Returns the bits of a set of one word.
    pub(crate) fn level(&self) -> u64 {
        self.shared.level.load(Relaxed)
    }

    /// Whether no slot is left. One load.
    #[inline(always)]
    pub(crate) fn is_exhausted(&self) -> bool {
        self.shared.level.load(Relaxed) == 0
    }

    /// Returns how many slots are in the set: exact at some moment of the call.
    #[inline]
    pub(crate) fn free(&self) -> usize {
        let level = self.shared.level.load(Relaxed);
        if self.is_one_word() { level.count_ones() as usize } else { level as usize }
    }

    /// Records a visitor that is about to take or give. Returns whether the visitor before was the same.
    /// Uses the cache line that the visit needs anyway.
    #[inline]
    pub(crate) fn arrive(&self, visitor: u32) -> bool {
        let was_last = self.is_last(visitor);
        if !was_last {
            self.shared.visitor.store(visitor, Relaxed);
        }
        was_last
    }

    /// Whether no other visitor has arrived since this one.
    #[inline]
    pub(crate) fn is_last(&self, visitor: u32) -> bool {
        self.shared.visitor.load(Relaxed) == visitor
    }

    /// Takes up to `out.len()` free slots, the lowest ones first, and returns how many it took. Lock-free.
    ///
    /// It takes fewer than `out.len()` only if no more were free at some moment of the call. In a set of
    /// several words the search starts at word `search_start`, modulo their number. So threads with different
    /// starts take slots from different words.
    #[inline]
    pub(crate) fn take_some(&self, out: &mut [u32], search_start: usize) -> usize {
        if self.is_one_word() {
            take_bits(&self.shared.level, 0, out)
        } else {
            self.take_several(out, search_start)
        }
    }

    /// Takes up to `out.len()` of the free slots in `range`, the lowest ones first, and returns how many it
    /// took.
    ///
    /// It holds no more permits meanwhile than it saw slots in the range. Permits that find no bit go back.
    /// Lock-free; looks at each word of the range twice.
    #[cold]
    pub(crate) fn take_among(&self, range: Range<usize>, out: &mut [u32]) -> usize {
        if self.is_one_word() {
            return take_bits_of(&self.shared.level, bits_of(&range, 0), 0, out);
        }
        let words = range.start / WORD_SLOTS..range.end.div_ceil(WORD_SLOTS);
        let seen = words.clone().map(|word| {
            let bits = self.word(word).load(Relaxed) & bits_of(&range, word * WORD_SLOTS);
            bits.count_ones() as usize
        });
        let permits = self.take_permits(seen.sum::<usize>().min(out.len()));
        let mut found = 0;
        for first in words.map(|word| word * WORD_SLOTS) {
            let word = self.word(first / WORD_SLOTS);
            found += take_bits_of(word, bits_of(&range, first), first, &mut out[found..permits]);
        }
        if found < permits {
            self.shared.level.fetch_add((permits - found) as u64, AcqRel);
        }
        found
    }

    /// Gives slots that the set does not have. Lock-free. After an error the set must not be used any more.
    #[inline]
    pub(crate) fn give(&self, slots: &[u32]) -> Result<(), AlreadyFree> {
        invariant!(
            slots.iter().all(|&slot| (slot as usize) < self.slots),
            "a slot that is given is one of the set's"
        );
        if self.is_one_word() {
            give_bits(&self.shared.level, 0, slots, AcqRel)
        } else {
            self.give_permits(slots)
        }
    }

    /// Orders this call with each give of another thread: one of the two comes first. If the give is first,
    /// the caller finds the slot from here on. Otherwise the giver, once it has given, sees all that the
    /// caller did before this call. A give pays nothing for it.
    #[cold]
    pub(crate) fn order_with_gives(&self) {
        self.shared.level.fetch_add(0, AcqRel);
    }

    /// Whether a slot is in the set at this moment.
    pub(crate) fn has(&self, slot: usize) -> bool {
        let word = if self.is_one_word() { &self.shared.level } else { self.word(slot / WORD_SLOTS) };
        word.load(Relaxed) & 1 << (slot % WORD_SLOTS) != 0
    }

    #[inline(always)]
    fn is_one_word(&self) -> bool {
        self.words.is_null()
    }

    fn take_several(&self, out: &mut [u32], search_start: usize) -> usize {
        let permits = self.take_permits(out.len());
        if permits > 0 {
            self.find(&mut out[..permits], search_start);
        }
        permits
    }

    /// Takes up to `wanted` permits.
    #[inline]
    fn take_permits(&self, wanted: usize) -> usize {
        let mut level = self.shared.level.load(Relaxed);
        // Each failure means that another thread took or gave a slot.
        loop {
            let permits = level.min(wanted as u64);
            if permits == 0 {
                return 0;
            }
            match self.shared.level.compare_exchange_weak(level, level - permits, Acquire, Relaxed) {
                Ok(_) => return permits as usize,
                Err(now) => level = now,
            }
        }
    }

    fn give_permits(&self, slots: &[u32]) -> Result<(), AlreadyFree> {
        let mut rest = slots;
        while let Some(&first) = rest.first() {
            let word = first as usize / WORD_SLOTS;
            let together = rest.iter().take_while(|&&slot| slot as usize / WORD_SLOTS == word).count();
            let (now, later) = rest.split_at(together);
            give_bits(self.word(word), word * WORD_SLOTS, now, SeqCst)?;
            let hint = self.hint(word);
            if self.shared.summary.load(SeqCst) & hint == 0 {
                self.shared.summary.fetch_or(hint, SeqCst);
            }
            rest = later;
        }
        let before = self.shared.level.fetch_add(slots.len() as u64, AcqRel);
        invariant!(before as usize + slots.len() <= self.slots, "a set has no more permits than slots");
        Ok(())
    }

    /// Turns permits into slots. This ends: each permit stands for a bit. If a pass finds no bit, another
    /// thread took it, which has made progress.
    fn find(&self, out: &mut [u32], search_start: usize) {
        let search_start = search_start % self.word_count();
        let mut found = take_bits(self.word(search_start), search_start * WORD_SLOTS, out);
        while found < out.len() {
            let mut hints = self.shared.summary.load(Relaxed);
            while hints != 0 && found < out.len() {
                found += self.take_in_group(hints.trailing_zeros() as usize, &mut out[found..]);
                hints &= hints - 1;
            }
            let groups = self.word_count().div_ceil(1 << self.group_shift);
            for group in 0..groups {
                found += self.take_in_group(group, &mut out[found..]);
                if found == out.len() {
                    return;
                }
            }
            lost_race();
        }
    }

    fn take_in_group(&self, group: usize, out: &mut [u32]) -> usize {
        let mut found = 0;
        for word in self.group(group) {
            if found == out.len() {
                return found;
            }
            found += take_bits(self.word(word), word * WORD_SLOTS, &mut out[found..]);
        }
        if found < out.len() {
            self.clear_hint_if_empty(group);
        }
        found
    }

    #[cold]
    fn clear_hint_if_empty(&self, group: usize) {
        let is_empty = || self.group(group).all(|word| self.word(word).load(SeqCst) == 0);
        let (summary, hint) = (&self.shared.summary, 1 << group);
        if is_empty() && summary.load(Relaxed) & hint != 0 {
            summary.fetch_and(!hint, SeqCst);
            if !is_empty() {
                summary.fetch_or(hint, SeqCst);
            }
        }
    }

    fn word_count(&self) -> usize {
        Self::words_needed(self.slots)
    }

    /// Returns the summary bit of a word's group.
    fn hint(&self, word: usize) -> u64 {
        1 << (word >> self.group_shift)
    }

    /// Returns the indices of a group's words.
    fn group(&self, group: usize) -> core::ops::Range<usize> {
        let first = group << self.group_shift;
        first..(first + (1 << self.group_shift)).min(self.word_count())
    }

    fn word(&self, word: usize) -> &AtomicU64 {
        invariant!(word < self.word_count(), "a word of a set is one of those that it has");
        // SAFETY: `new` was given `words_needed` words, and `word` is one of them. It comes from `group` or
        // `search_start`, which stay below `word_count`, or from the index of a slot that the set has.
        unsafe { &*self.words.add(word) }
    }
}

/// Takes the lowest bits of a word, as slots from `first` on. Returns how many it took.
#[inline]
fn take_bits(word: &AtomicU64, first: usize, out: &mut [u32]) -> usize {
    take_bits_of(word, u64::MAX, first, out)
}

/// Takes the lowest bits of a word that are in `mask`, as slots from `first` on. Returns how many it took.
#[inline]
fn take_bits_of(word: &AtomicU64, mask: u64, first: usize, out: &mut [u32]) -> usize {
    let mut bits = word.load(Relaxed);
    // Each failure means that another thread took or gave a slot.
    loop {
        let mut left = bits & mask;
        let mut found = 0;
        while left != 0 && found < out.len() {
            out[found] = first as u32 + left.trailing_zeros();
            left &= left - 1;
            found += 1;
        }
        if found == 0 {
            return 0;
        }
        match word.compare_exchange_weak(bits, bits & !mask | left, Acquire, Relaxed) {
            Ok(_) => return found,
            Err(now) => bits = now,
        }
    }
}

/// Sets the bits of slots that all lie in the word whose first slot is `first`.
#[inline]
fn give_bits(
    word: &AtomicU64,
    first: usize,
    slots: &[u32],
    order: crate::sync::Ordering,
) -> Result<(), AlreadyFree> {
    let mut bits = 0;
    for &slot in slots {
        bits |= 1 << (slot as usize - first);
    }
    let twice = word.fetch_or(bits, order) & bits;
    if twice == 0 && bits.count_ones() as usize == slots.len() {
        return Ok(());
    }
    Err(AlreadyFree(if twice != 0 { first + twice.trailing_zeros() as usize } else { slots[0] as usize }))
}

/// Returns the bits of the slots in `range`, for the word whose first slot is `first`.
fn bits_of(range: &Range<usize>, first: usize) -> u64 {
    let below = |slot: usize| ones(slot.saturating_sub(first).min(WORD_SLOTS));
    below(range.end) & !below(range.start)
}

/// Returns a word with the low `n` bits set.
const fn ones(n: usize) -> u64 {
    if n == 0 { 0 } else { u64::MAX >> (u64::BITS as usize - n) }
}

#[cfg(framepool_loom)]
pub(crate) mod model;
#[cfg(all(test, not(framepool_loom)))]
mod tests;
