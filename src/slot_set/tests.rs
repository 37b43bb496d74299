//! One thread at a time over sets of every shape, then threads that fight over one.

use super::*;

/// A set of its own words.
fn set(slots: usize, held: usize) -> SlotSet {
    let words = (0..SlotSet::words_needed(slots, held)).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
    // SAFETY: exactly the words needed, leaked.
    unsafe { SlotSet::new(NonNull::new(words.leak().as_mut_ptr()).unwrap(), slots, held) }
}

const SHAPES: [(usize, usize); 11] = [
    (1, 0),
    (1, 1),
    (64, 0),
    (64, 32),
    (64, 64),
    (65, 0),
    (65, 65),
    (1_024, 512),
    (4_097, 1),
    (65_536, 100),
    (MAX_SLOTS, 0),
];

#[test]
fn every_slot_is_taken_once_lowest_first_and_the_entitled_have_the_held_back_ones_before_the_others() {
    for (slots, held) in SHAPES {
        let set = set(slots, held);
        let open: Vec<_> = core::iter::from_fn(|| set.take(false)).collect();
        assert_eq!(open, (0..slots - held).collect::<Vec<_>>());
        let rest: Vec<_> = core::iter::from_fn(|| set.take(true)).collect();
        assert_eq!(rest, (slots - held..slots).collect::<Vec<_>>());
        assert_eq!((set.in_use(), set.peak()), (slots, slots));

        for index in 0..slots {
            set.give(index).unwrap();
        }
        let first_entitled = if held > 0 { slots - held } else { 0 };
        assert_eq!(set.take(true), Some(first_entitled));
        set.give(first_entitled).unwrap();
        let all: Vec<_> = core::iter::from_fn(|| set.take(true)).collect();
        assert_eq!(all, (slots - held..slots).chain(0..slots - held).collect::<Vec<_>>());
    }
}

#[test]
fn any_single_slot_given_to_an_empty_set_is_found_again() {
    for (slots, held) in SHAPES {
        let set = set(slots, held);
        while set.take(true).is_some() {}
        for index in (0..slots).step_by(slots.div_ceil(300)) {
            assert_eq!(set.take(true), None);
            set.give(index).unwrap();
            assert_eq!(set.in_use(), slots - 1);
            assert_eq!(set.take(true), Some(index));
        }
    }
}

#[test]
fn a_second_give_is_an_error_and_changes_nothing() {
    for (slots, held) in SHAPES {
        let set = set(slots, held);
        let index = set.take(true).unwrap();
        assert_eq!(set.give(index), Ok(()));
        assert_eq!(set.give(index), Err(AlreadyFree));
        assert_eq!(set.in_use(), 0);
        assert_eq!(core::iter::from_fn(|| set.take(true)).count(), slots);
    }
}

#[test]
fn peak_is_the_most_that_was_out_at_once_in_both_lanes_together() {
    for (slots, held) in [(64, 32), (1_024, 512)] {
        let set = set(slots, held);
        let taken = [set.take(true), set.take(false), set.take(true)].map(Option::unwrap);
        taken.into_iter().for_each(|index| set.give(index).unwrap());
        set.take(false).unwrap();
        assert_eq!((set.in_use(), set.peak()), (1, 3));
    }
}

/// A giver that was stopped between its bit and its summary bit: its slot has no hint, and a permit finds it.
#[test]
fn a_missing_hint_costs_a_scan_and_no_slot() {
    let set = set(65_536, 0);
    while set.take(false).is_some() {}
    set.give(40_000).unwrap();
    set.shared.summaries[0].store(0, Relaxed);
    assert_eq!(set.take(false), Some(40_000));
}

#[test]
fn threads_that_fight_for_slots_never_share_one_and_lose_none() {
    for (slots, held) in [(3, 1), (64, 32), (130, 64)] {
        let set = set(slots, held);
        // The set's pointer is to leaked words; `Shared` only says so to the compiler.
        struct Shared(SlotSet);
        // SAFETY: all that is mutable in a set is atomic.
        unsafe impl Sync for Shared {}
        let set = Shared(set);
        let owners: Vec<_> = (0..slots).map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for id in 1..=4 {
                let (set, owners) = (&set, &owners);
                scope.spawn(move || {
                    for round in 0..20_000 {
                        let Some(index) = set.0.take(round % 3 == 0) else { continue };
                        assert_eq!(owners[index].swap(id, Relaxed), 0);
                        assert_eq!(owners[index].swap(0, Relaxed), id);
                        set.0.give(index).unwrap();
                    }
                });
            }
        });
        let mut left: Vec<_> = core::iter::from_fn(|| set.0.take(true)).collect();
        left.sort_unstable();
        assert_eq!(left, (0..slots).collect::<Vec<_>>());
        assert!(set.0.peak() <= slots);
    }
}
