//! One thread at a time on sets of every shape, then threads that compete for one set.

use super::*;

/// Returns a set with leaked words of its own.
fn set(slots: usize) -> SlotSet {
    let words = (0..SlotSet::words_needed(slots)).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
    // SAFETY: exactly the words needed, and they are leaked.
    unsafe { SlotSet::new(NonNull::new(words.leak().as_mut_ptr()).unwrap(), slots) }
}

const SHAPES: [usize; 8] = [0, 1, 63, 64, 65, 1_024, 4_097, MAX_SLOTS];

fn take(set: &SlotSet, search_start: usize) -> Option<u32> {
    let mut slot = [0];
    (set.take_some(&mut slot, search_start) == 1).then_some(slot[0])
}

fn take_all(set: &SlotSet) -> Vec<u32> {
    core::iter::from_fn(|| take(set, 0)).collect()
}

#[test]
fn every_slot_is_taken_once_and_lowest_first() {
    for slots in SHAPES {
        let set = set(slots);
        assert_eq!((set.free(), set.is_exhausted()), (slots, slots == 0));
        assert_eq!(take_all(&set), (0..slots as u32).collect::<Vec<_>>());
        assert_eq!((set.free(), set.is_exhausted()), (0, true));
        set.give(&(0..slots as u32).collect::<Vec<_>>()[..slots.min(64)]).unwrap();
        assert_eq!(set.free(), slots.min(64));
    }
}

#[test]
fn a_batch_is_as_large_as_asked_while_there_are_slots_and_what_is_left_after_that() {
    for slots in SHAPES {
        let set = set(slots);
        let mut seen: Vec<u32> = Vec::new();
        loop {
            let mut batch = [u32::MAX; 7];
            let taken = set.take_some(&mut batch, 0);
            assert_eq!(taken, batch.len().min(slots - seen.len()));
            seen.extend(&batch[..taken]);
            if taken == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..slots as u32).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_of_slots_from_all_over_goes_back_whole() {
    for slots in SHAPES.into_iter().filter(|&slots| slots > 0) {
        let set = set(slots);
        take_all(&set);
        let mut batch: Vec<_> = (0..slots as u32).step_by(slots.div_ceil(40)).collect();
        batch.reverse();
        set.give(&batch).unwrap();
        assert_eq!(set.free(), batch.len());
        batch.reverse();
        assert_eq!(take_all(&set), batch);
    }
}

#[test]
fn threads_with_different_search_starts_take_slots_of_different_words() {
    let set = set(512);
    let mut batches = [[0; 16]; 8];
    for (search_start, batch) in batches.iter_mut().enumerate() {
        assert_eq!(set.take_some(batch, search_start), 16);
        assert!(batch.iter().all(|&slot| slot as usize / 64 == search_start), "{batch:?}");
    }
}

#[test]
fn any_single_slot_given_to_an_empty_set_is_found_again_from_any_search_start() {
    for slots in SHAPES.into_iter().filter(|&slots| slots > 0) {
        let set = set(slots);
        take_all(&set);
        for index in (0..slots).step_by(slots.div_ceil(300)) {
            assert_eq!(take(&set, index), None);
            set.give(&[index as u32]).unwrap();
            assert_eq!(set.free(), 1);
            assert_eq!(take(&set, slots - index), Some(index as u32));
        }
    }
}

#[test]
fn a_second_give_is_an_error_in_one_batch_or_two() {
    for slots in SHAPES.into_iter().filter(|&slots| slots > 0) {
        for slot in [0, slots / 2, slots - 1] {
            let new = || {
                let set = set(slots);
                assert_eq!(set.take_among(slot..slot + 1, &mut [0]), 1);
                set
            };
            let (set, index) = (new(), slot as u32);
            assert_eq!(set.give(&[index]), Ok(()));
            assert_eq!(set.give(&[index]), Err(AlreadyFree(slot)));
            assert_eq!(new().give(&[index, index]), Err(AlreadyFree(slot)));
        }
    }
}

/// Clears a hint, as if a giver had stopped between its bit and its summary bit. A permit finds the slot
/// without it.
#[test]
fn a_missing_hint_costs_a_scan_and_no_slot() {
    let set = set(65_536);
    take_all(&set);
    set.give(&[40_000]).unwrap();
    set.shared.summary.store(0, Relaxed);
    assert_eq!(take(&set, 0), Some(40_000));
}

#[test]
fn the_hints_say_where_to_look_first() {
    let set = set(65_536);
    take_all(&set);
    set.give(&[5, 40_000]).unwrap();
    set.shared.summary.fetch_and(!set.hint(0), Relaxed);
    // Word 9 has neither of the two slots.
    assert_eq!(take(&set, 9), Some(40_000));
    assert_eq!(take(&set, 9), Some(5));
}

#[test]
fn a_group_loses_its_hint_when_it_is_found_empty_and_has_it_again_with_its_next_slot() {
    let set = set(65_536);
    let hints = || set.shared.summary.load(Relaxed);
    let (all, first) = (hints(), set.hint(0));
    let slots = set.group(0).len() * WORD_SLOTS;
    let emptied: Vec<_> = (0..slots).map(|_| take(&set, 0).unwrap()).collect();
    assert_eq!(hints(), all);
    assert_eq!(take(&set, 0), Some(slots as u32));
    assert_eq!(hints(), all & !first);
    set.give(&emptied[..1]).unwrap();
    assert_eq!(hints(), all);
}

#[test]
fn a_set_has_the_slots_that_were_not_taken() {
    for slots in SHAPES {
        let set = set(slots);
        let has = || (0..slots).filter(|&slot| set.has(slot)).map(|slot| slot as u32).collect::<Vec<_>>();
        assert_eq!(has(), (0..slots as u32).collect::<Vec<_>>());
        take_all(&set);
        assert_eq!(has(), [0_u32; 0]);
        let given: Vec<_> = (0..slots as u32).step_by(3).collect();
        set.give(&given).unwrap();
        assert_eq!(has(), given);
    }
}

#[test]
fn of_a_range_the_free_slots_are_taken_and_no_others() {
    for slots in SHAPES.into_iter().filter(|&slots| slots > 0) {
        let set = set(slots);
        let taken: Vec<_> = (0..slots as u32).step_by(3).collect();
        take_all(&set);
        set.give(&(0..slots as u32).filter(|slot| !slot.is_multiple_of(3)).collect::<Vec<_>>()).unwrap();
        let free = slots - taken.len();
        for range in [0..1, 0..slots, slots / 2..slots, slots / 3..slots / 2, slots - 1..slots, 7..70, 63..65]
        {
            let range = range.start.min(slots)..range.end.min(slots);
            let mut expected: Vec<_> = range.clone().map(|slot| slot as u32).collect();
            expected.retain(|slot| !slot.is_multiple_of(3));
            let mut out = vec![0; slots];
            let found = set.take_among(range.clone(), &mut out);
            assert_eq!(&out[..found], expected, "{range:?} of {slots}");
            assert_eq!(set.free(), free - found);
            set.give(&out[..found]).unwrap();
            let found = set.take_among(range, &mut out[..5.min(slots)]);
            assert_eq!(out[..found], expected[..found]);
            assert_eq!(found, expected.len().min(5));
            set.give(&out[..found]).unwrap();
        }
        assert_eq!(set.free(), free);
    }
}

#[test]
fn permits_that_find_no_slot_in_their_range_go_back() {
    let set = &set(130);
    let together = &std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                together.wait();
                // Both threads want the same slots, so each often finds a slot gone that it has seen.
                for _ in 0..200_000 {
                    let mut batch = [0; 8];
                    let taken = set.take_among(62..66, &mut batch);
                    assert!(batch[..taken].iter().all(|slot| (62..66).contains(slot)));
                    set.give(&batch[..taken]).unwrap();
                }
            });
        }
    });
    assert_eq!(set.free(), 130);
    let mut left = take_all(set);
    left.sort_unstable();
    assert_eq!(left, (0..130).collect::<Vec<_>>());
}

#[test]
fn a_take_from_a_range_without_slots_leaves_the_rest_to_others() {
    let set = &set(130);
    let mut held = [0; 129];
    assert_eq!(set.take_some(&mut held, 0), 129);
    let done = &AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while done.load(Relaxed) == 0 {
                assert_eq!(set.take_among(0..129, &mut [0; 8]), 0);
            }
        });
        for _ in 0..500_000 {
            let last = take(set, 0);
            // This comes before anything that may panic. Otherwise the other thread would never end.
            done.store(u64::from(last != Some(129)), Relaxed);
            assert_eq!(last, Some(129));
            set.give(&[129]).unwrap();
        }
        done.store(1, Relaxed);
    });
}

#[test]
fn a_visitor_is_the_last_one_until_another_arrives() {
    let set = set(3);
    assert!(!set.is_last(1) && !set.arrive(1));
    assert!(set.is_last(1) && set.arrive(1));
    assert!(!set.is_last(2) && !set.arrive(2));
    assert!(set.is_last(2) && !set.is_last(1));
    assert!(!set.arrive(1) && set.arrive(1));
}

#[test]
fn threads_that_fight_for_slots_never_share_one_and_lose_none() {
    for slots in [3, 64, 130] {
        let set = set(slots);
        let owners: Vec<_> = (0..slots).map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for id in 1..=4 {
                let (set, owners) = (&set, &owners);
                scope.spawn(move || {
                    for round in 0..20_000 {
                        let mut batch = [0; 3];
                        let taken = set.take_some(&mut batch[..1 + round % 3], id as usize);
                        for &index in &batch[..taken] {
                            assert_eq!(owners[index as usize].swap(id, Relaxed), 0);
                        }
                        for &index in &batch[..taken] {
                            assert_eq!(owners[index as usize].swap(0, Relaxed), id);
                        }
                        set.give(&batch[..taken]).unwrap();
                    }
                });
            }
        });
        let mut left = take_all(&set);
        left.sort_unstable();
        assert_eq!(left, (0..slots as u32).collect::<Vec<_>>());
    }
}
