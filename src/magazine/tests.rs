//! Which thread a gate lets in, what a magazine holds, and how a magazine gets the size that its owner has
//! use for. These tests use one thread. What two threads do to each other is in
//! [`loom_tests`](crate::loom_tests).

use std::iter;

use super::gate::Gate;
use super::mode::{LaneMode, Mode};
use super::*;

const LIMIT: usize = 32;

/// Returns a pointer that is only a number, which no test dereferences.
fn slot(number: usize) -> *mut u8 {
    ptr::without_provenance_mut(number)
}

fn magazine(capacity: usize) -> Magazine {
    let magazine = Magazine::new();
    magazine.reset(capacity);
    magazine
}

/// Pushes the slots 1, 2, 3 and so on until the magazine is full, and returns how many it pushed.
fn fill(magazine: &Magazine) -> usize {
    (1..).take_while(|&number| magazine.push(slot(number))).count()
}

fn pop_all(magazine: &Magazine) -> Vec<usize> {
    iter::from_fn(|| magazine.pop()).map(|slot| slot.addr()).collect()
}

fn numbers(batch: &Batch) -> Vec<usize> {
    batch.as_slice().iter().map(|slot| slot.addr()).collect()
}

/// Makes the magazine overflow, as an owner does that frees more than it takes.
fn overflow(magazine: &Magazine) {
    fill(magazine);
    magazine.spill_older_half();
    pop_all(magazine);
}

/// Returns the sizes of `count` refills in a row, each with the number of consecutive refills of that size.
fn refills(magazine: &Magazine, count: usize) -> Vec<(usize, usize)> {
    let fetched: Vec<_> = iter::repeat_with(|| magazine.refill_size(LIMIT)).take(count).collect();
    fetched.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect()
}

#[test]
fn a_gate_lets_only_its_owner_in_and_once_at_a_time() {
    let (mine, other) = (4_096, 8_192);
    let gate = Gate::new(mine);
    assert!(!gate.enter(other));
    assert!(gate.is_open(mine) && gate.is_mine(mine) && gate.enter(mine));
    assert!(!gate.is_open(mine) && !gate.is_mine(mine) && !gate.enter(mine));
    gate.leave(mine);
    assert!(gate.is_open(mine) && gate.enter(mine));
}

#[test]
fn a_gate_is_abandoned_only_if_its_owner_was_inside_and_until_it_has_another() {
    let (mine, other) = (4_096, 8_192);
    let gate = Gate::new(mine);
    assert!(gate.abandon_unless_open(mine));
    assert!(!gate.is_abandoned() && gate.enter(mine));
    assert!(!gate.is_abandoned());
    assert!(!gate.abandon_unless_open(mine));
    assert!(gate.is_abandoned() && !gate.is_open(mine) && !gate.enter(mine));
    gate.set(other);
    assert!(!gate.is_abandoned() && gate.enter(other));
    assert_eq!(gate.key(), other);
}

#[test]
fn a_mode_says_whether_slots_are_cached_may_be_and_will_be() {
    let says = |mode| {
        let mode = Mode::new(mode);
        [mode.is_cached(), mode.may_hide_slots(), mode.is_revoked()]
    };
    assert_eq!(says(LaneMode::Cached), [true, true, false]);
    assert_eq!(says(LaneMode::SetOnly), [false, false, true]);
    assert_eq!(says(LaneMode::Pending), [false, true, true]);
    assert_eq!(says(LaneMode::Off), [false, false, false]);
}

#[test]
fn the_last_slot_in_is_the_first_one_out_and_none_beyond_the_capacity_goes_in() {
    for capacity in [1, 2, 7, MAGAZINE_CAPACITY, MAGAZINE_CAPACITY + 1] {
        let magazine = magazine(capacity);
        assert!(magazine.is_empty() && magazine.pop().is_none());
        let held = fill(&magazine);
        assert_eq!(held, capacity.min(MAGAZINE_CAPACITY));
        assert!(!magazine.is_empty());
        assert_eq!(pop_all(&magazine), (1..=held).rev().collect::<Vec<_>>());
        assert!(magazine.is_empty());
    }
}

#[test]
fn a_full_one_gives_up_its_older_half() {
    for (capacity, moved) in [(1, 1), (2, 1), (5, 3), (32, 16), (57, MAGAZINE_BATCH)] {
        let magazine = magazine(capacity);
        fill(&magazine);
        assert_eq!(numbers(&magazine.spill_older_half()), (1..=moved).collect::<Vec<_>>());
        assert_eq!(pop_all(&magazine), (moved + 1..=capacity).rev().collect::<Vec<_>>());
    }
}

#[test]
fn it_is_emptied_from_the_top_by_batches() {
    let magazine = magazine(57);
    fill(&magazine);
    for batch in [42..=57, 26..=41, 10..=25, 1..=9] {
        assert_eq!(numbers(&magazine.drain()), batch.collect::<Vec<_>>());
    }
    assert_eq!(numbers(&magazine.drain()), [0_usize; 0]);
    assert!(magazine.is_empty());
}

#[test]
fn a_refill_is_half_of_the_capacity_or_a_batch_if_that_is_less_and_never_nothing() {
    for (capacity, wanted) in [(0, 1), (1, 1), (2, 1), (4, 2), (7, 4), (32, 16), (57, 16)] {
        let magazine = magazine(capacity);
        assert_eq!(magazine.refill_size(57), wanted);
        assert_eq!(fill(&magazine), capacity, "grew though it never overflowed");
    }
    let magazine = magazine(8);
    assert_eq!(magazine.refill_size(6), 3);
    assert_eq!(fill(&magazine), 6);
}

#[test]
fn after_an_overflow_it_doubles_up_to_its_limit_and_is_refilled_by_smaller_portions_for_a_while() {
    let magazine = magazine(8);
    for (portion, capacity) in [(4, 16), (8, 32), (8, LIMIT)] {
        overflow(&magazine);
        assert_eq!(refills(&magazine, 20), [(portion, 16), (capacity / 2, 4)]);
        assert_eq!(fill(&magazine), capacity);
        pop_all(&magazine);
    }
}

#[test]
fn each_further_overflow_meanwhile_halves_the_portions_once_more_down_to_single_slots() {
    let magazine = magazine(LIMIT);
    overflow(&magazine);
    overflow(&magazine);
    assert_eq!(refills(&magazine, 40), [(4, 16), (8, 16), (16, 8)]);
    overflow(&magazine);
    assert_eq!(refills(&magazine, 5), [(8, 5)]);
    overflow(&magazine);
    assert_eq!(refills(&magazine, 40), [(4, 16), (8, 16), (16, 8)]);
    for _ in 0..100 {
        overflow(&magazine);
    }
    assert_eq!(refills(&magazine, 90), [(1, 32), (2, 16), (4, 16), (8, 16), (16, 10)]);
}

#[test]
fn a_new_owner_finds_nothing_of_the_last_ones_habits() {
    let magazine = magazine(8);
    overflow(&magazine);
    for _ in 1..WARM_SCORE {
        magazine.warm_up(true, false, 4);
    }
    magazine.reset(8);
    assert_eq!(refills(&magazine, 20), [(4, 20)]);
    assert_eq!(fill(&magazine), 8);
    magazine.reset(0);
    magazine.warm_up(true, false, 4);
    assert!(magazine.is_cold());
}

/// Returns the number of visits to the set after which a magazine is warm. Each visit says whether the owner
/// was also the last visitor, and whether it met other threads.
fn visits_until_warm(visits: impl IntoIterator<Item = (bool, bool)>) -> Option<usize> {
    let magazine = magazine(0);
    assert!(magazine.is_cold() && !magazine.push(slot(1)));
    let warm = visits.into_iter().take(1_000).position(|(came_last, met_others)| {
        magazine.warm_up(came_last, met_others, 4);
        !magazine.is_cold()
    });
    assert_eq!(fill(&magazine), if warm.is_some() { 4 } else { 0 });
    warm.map(|before| before + 1)
}

#[test]
fn a_cold_one_takes_nothing_until_its_owner_comes_often_in_a_row_or_meets_others() {
    let (in_a_row, after_another, at_the_same_time) = ((true, false), (false, false), (false, true));
    assert_eq!(visits_until_warm(iter::repeat(in_a_row)), Some(16));
    assert_eq!(visits_until_warm(iter::repeat(after_another)), None);
    assert_eq!(visits_until_warm(iter::repeat(at_the_same_time)), Some(2));
    // A visit of another thread halves fifteen to seven: nine more are missing.
    let interrupted = iter::repeat_n(in_a_row, 15).chain([after_another]).chain(iter::repeat(in_a_row));
    assert_eq!(visits_until_warm(interrupted), Some(15 + 1 + 9));
    assert_eq!(visits_until_warm(iter::repeat([in_a_row, after_another]).flatten()), None);
    assert_eq!(visits_until_warm([at_the_same_time].into_iter().chain(iter::repeat(in_a_row))), Some(6));
}
