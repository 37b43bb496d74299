//! The slot set under loom: what must hold after every interleaving of two or three threads. See
//! [`loom_tests`](crate::loom_tests).
//!
//! Words have 2 slots and there are 2 summary bits, so 5 slots are 3 words in 2 groups.

use std::sync::Arc;

use loom::thread::spawn;

use super::*;
use crate::sync::Ordering::Release;
use crate::sync::loom_check::{Content, check};

/// The words of a set, which must outlive it.
pub(crate) struct Words(#[expect(dead_code, reason = "the set points to them")] Vec<AtomicU64>);

/// Returns a full set of this many slots, and its words.
pub(crate) fn full(slots: usize) -> (SlotSet, Words) {
    let mut words: Vec<_> = (0..SlotSet::words_needed(slots)).map(|_| AtomicU64::new(0)).collect();
    let start = NonNull::new(words.as_mut_ptr()).unwrap();
    // SAFETY: exactly the words needed. The vector does not move them, and nothing accesses them through it.
    (unsafe { SlotSet::new(start, slots) }, Words(words))
}

struct World {
    set: SlotSet,
    _words: Words,
    contents: Vec<Content>,
}

impl World {
    fn new(slots: usize) -> Arc<Self> {
        let (set, words) = full(slots);
        Arc::new(Self { set, _words: words, contents: (0..slots).map(|_| Content::free()).collect() })
    }

    /// Takes up to `wanted` slots and writes the thread's number to each.
    fn take(&self, id: u32, wanted: usize, search_start: usize) -> Vec<u32> {
        let mut slots = vec![0; wanted];
        let taken = self.set.take_some(&mut slots, search_start);
        slots.truncate(taken);
        slots.iter().for_each(|&slot| self.contents[slot as usize].write(id));
        slots
    }

    fn give(&self, id: u32, slots: &[u32]) {
        slots.iter().for_each(|&slot| self.contents[slot as usize].wipe(id));
        assert_eq!(self.set.give(slots), Ok(()));
    }

    /// Checks a set that no thread uses. Every slot is there once, and every word that has a slot has its
    /// hint.
    fn assert_whole(&self) {
        for word in 0..SlotSet::words_needed(self.set.slots) {
            let hint = self.set.shared.summary.load(Relaxed) & self.set.hint(word);
            assert!(self.set.word(word).load(Relaxed) == 0 || hint != 0, "no hint at word {word}");
        }
        let mut slots = self.take(99, self.contents.len(), 0);
        assert!(self.set.is_exhausted());
        slots.sort_unstable();
        assert!(slots.into_iter().eq(0..self.contents.len() as u32), "a slot is lost");
    }
}

/// Lets three threads take this many slots and give them back. Their searches start at different words.
fn fight(slots: usize, batches: [usize; 3], switches: impl Into<Option<usize>>) {
    check(switches, move || {
        let world = World::new(slots);
        let work = move |world: &World, id: usize| {
            let slots = world.take(id as u32 + 1, batches[id], id);
            world.give(id as u32 + 1, &slots);
            slots.len()
        };
        let others = [1, 2].map(|id| {
            let world = world.clone();
            spawn(move || work(&world, id))
        });
        let mut taken = work(&world, 0);
        taken += others.map(|other| other.join().unwrap()).iter().sum::<usize>();
        // A take that failed found no slot left, so another thread had it.
        assert!(taken >= slots.min(batches.iter().sum()));
        world.assert_whole();
    });
}

#[test]
fn threads_that_fight_over_one_word_never_share_a_slot_and_lose_none() {
    fight(2, [1, 1, 1], None);
    fight(2, [2, 1, 2], None);
}

#[test]
fn threads_that_fight_over_several_words_never_share_a_slot_and_lose_none() {
    fight(3, [2, 2, 1], 2);
    fight(4, [3, 1, 2], 2);
    fight(5, [2, 3, 1], 2);
}

/// Lets two threads take from one range while a third takes from the whole set. So slots that a thread has
/// seen there are often gone.
#[test]
fn takes_from_a_range_share_no_slot_and_lose_none() {
    for (slots, range) in [(2, 0..2), (3, 1..3)] {
        check(2, move || {
            let world = World::new(slots);
            let others = [1, 2].map(|id| {
                let (world, range) = (world.clone(), range.clone());
                spawn(move || {
                    let mut taken = vec![0; range.len()];
                    let found = world.set.take_among(range.clone(), &mut taken);
                    taken.truncate(found);
                    taken.iter().for_each(|&slot| {
                        assert!(range.contains(&(slot as usize)));
                        world.contents[slot as usize].write(id);
                    });
                    world.give(id, &taken);
                })
            });
            let taken = world.take(3, 1, 0);
            world.give(3, &taken);
            others.into_iter().for_each(|other| other.join().unwrap());
            world.assert_whole();
        });
    }
}

/// Lets the last taker of a group clear its hint while a giver fills the group again.
#[test]
fn a_group_that_is_not_empty_has_its_hint_when_all_is_quiet() {
    for slots in [3, 5] {
        check(None, move || {
            let world = World::new(slots);
            let held = world.take(1, slots - 1, 0);
            let taker = {
                let world = world.clone();
                spawn(move || world.take(2, 2, 1))
            };
            world.give(1, &held[..1]);
            world.give(1, &held[1..]);
            let taken = taker.join().unwrap();
            world.give(2, &taken);
            world.assert_whole();
        });
    }
}

/// Stops a giver after its first step. Its bit has no permit and no hint. It stops no other thread, and no
/// take fails while a slot is there.
#[test]
fn a_giver_that_stopped_half_way_keeps_back_its_own_slot_only() {
    check(None, || {
        let world = World::new(4);
        let stopped = world.take(1, 1, 1);
        world.contents[stopped[0] as usize].wipe(1);
        give_bits(world.set.word(1), WORD_SLOTS, &stopped, SeqCst).unwrap();
        let others = [2, 3].map(|id| {
            let world = world.clone();
            spawn(move || {
                let slots = world.take(id, 2, id as usize);
                let taken = slots.len();
                world.give(id, &slots);
                taken
            })
        });
        let taken = others.map(|other| other.join().unwrap());
        assert!(taken.iter().sum::<usize>() >= 3, "{taken:?}");
        // The giver goes on.
        world.set.shared.summary.fetch_or(world.set.hint(1), SeqCst);
        world.set.shared.level.fetch_add(1, Release);
        world.assert_whole();
    });
}
