//! The state of magazines, lanes and peaks after a trim.

use core::alloc::Layout;
use std::alloc::System;

use super::*;
use crate::config::Config;
use crate::magazine::mode::LaneMode;
use crate::magazine::reclaim::MagazineStore;
use crate::metadata::Tally;
use crate::pools::Block;
use crate::slots::class::Class;

fn pools() -> &'static Pools {
    pools_with(Config::new())
}

fn pools_with(config: Config) -> &'static Pools {
    let pools: &Pools = Box::leak(Box::new(Pools::new(&config)));
    pools.prepare(&System);
    pools
}

fn whole(class: Class) -> Layout {
    Layout::from_size_align(Config::new().slot_bytes(class), 64).unwrap()
}

fn take(pools: &Pools, class: Class) -> Block {
    pools.take(Tally::Own(pools.own().unwrap()), whole(class)).unwrap()
}

fn give(pools: &Pools, class: Class, block: Block) {
    let found = pools.find(block.start, whole(class));
    // SAFETY: just found, and the block is not used any more.
    unsafe { pools.give(Tally::Own(pools.own().unwrap()), found) };
}

/// Returns the number of slots of a class that are in its sets.
fn free(pools: &Pools, class: Class) -> usize {
    let lanes = [false, true].map(|is_held_back| Lane::new(class as usize, is_held_back));
    lanes.map(|lane| pools.metadata().set(lane).free()).iter().sum()
}

fn modes(pools: &Pools) -> Vec<LaneMode> {
    let lanes = Lane::ALL.into_iter().filter(|lane| pools.metadata().set(*lane).slots() > 0);
    lanes.map(|lane| pools.metadata().mode(lane).get()).collect()
}

#[test]
fn every_slot_is_in_its_set_afterwards_and_lanes_are_cached_as_before_whatever_is_live() {
    let pools = pools();
    for live in [0, 20, 60, 64] {
        let blocks: Vec<_> = (0..live).map(|_| take(pools, Class::XLarge)).collect();
        // Taking them all may itself have reclaimed the magazines. The last gives let the lane cache again.
        pools.metadata().mode(Lane::new(3, true)).set(LaneMode::Cached);
        pools.trim();
        for class in Class::ALL {
            let live = if class == Class::XLarge { live } else { 0 };
            assert_eq!(free(pools, class), Config::new().slots(class) - live, "{class}");
        }
        assert!(modes(pools).iter().all(|&mode| mode == LaneMode::Cached), "{:?}", modes(pools));
        blocks.into_iter().for_each(|block| give(pools, Class::XLarge, block));
    }
}

#[test]
fn of_a_thread_that_is_inside_the_magazines_stay_until_it_is_out_and_no_thread_waits() {
    let pools = pools();
    // Often enough to show that the thread has use for a magazine.
    for _ in 0..20 {
        let block = take(pools, Class::XLarge);
        give(pools, Class::XLarge, block);
    }
    let in_sets = free(pools, Class::XLarge);
    assert!(in_sets < 64, "some are cached");

    let inside = pools.enter().unwrap();
    std::thread::scope(|scope| _ = scope.spawn(|| pools.trim()));
    assert_eq!(free(pools, Class::XLarge), in_sets);
    assert!(modes(pools).iter().all(|&mode| mode == LaneMode::Pending), "{:?}", modes(pools));
    drop(inside);
    let block = take(pools, Class::XLarge);
    give(pools, Class::XLarge, block);
    assert_eq!(free(pools, Class::XLarge), 64);
    assert!(pools.metadata().mode(Lane::new(Class::XLarge as usize, true)).is_cached());
}

#[test]
fn a_peak_is_seen_although_a_trim_made_the_sets_look_emptier_than_ever() {
    // Without magazines, each slot outside the sets is live, and each take looks at the peak.
    let pools = pools_with(Config::new().magazine(Class::XLarge, 0));
    let mut blocks: Vec<_> = (0..40).map(|_| take(pools, Class::XLarge)).collect();
    // A take notes this if it comes while a trim holds slots.
    pools.metadata().note_peak(Class::XLarge as usize, 3);
    pools.trim();
    blocks.extend((40..56).map(|_| take(pools, Class::XLarge)));
    blocks.into_iter().for_each(|block| give(pools, Class::XLarge, block));
    assert_eq!(pools.stats().class(Class::XLarge).peak, 56);
}
