//! The state of magazines, lanes and peaks after a trim.

use core::alloc::Layout;
use core::ptr;
use std::alloc::System;
use std::collections::BTreeSet;

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

/// Pages that a live slot touches stay, all of them, and all other pages are given back.
#[test]
fn larger_pages_are_given_back_as_a_whole_or_not_at_all() {
    const SIZES: [(usize, usize); 2] = [(320, 1_000), (9_920, 90)];
    const TABLE: Config = Config::new()
        .class(Class::Small, SIZES[0].0, SIZES[0].1)
        .class(Class::Medium, SIZES[1].0, SIZES[1].1)
        .hold_back(Class::Small, 0, 0)
        .hold_back(Class::Medium, 0, 0);
    let system = os::page_bytes();
    for page_bytes in [16_usize << 10, 64 << 10].into_iter().filter(|bytes| bytes.is_multiple_of(system)) {
        let trim = || {
            let pools = pools_with(TABLE);
            let slots = SIZES.map(|(bytes, slots)| use_all_but_some(pools, bytes, slots));
            let trimmed = pools.trim();
            let mut given_back = BTreeSet::new();
            for (starts, (bytes, _)) in slots.iter().zip(SIZES) {
                let pages =
                    |start: &usize, page_bytes| start / page_bytes..(start + bytes).div_ceil(page_bytes);
                let live: BTreeSet<usize> = starts
                    .iter()
                    .skip(FIRST_LIVE)
                    .step_by(LIVE)
                    .flat_map(|start| pages(start, page_bytes))
                    .collect();
                for start in starts {
                    // SAFETY: a slot of the pools, which stay mapped and which only this test uses.
                    let slot = unsafe {
                        core::slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(*start), bytes)
                    };
                    for (byte, address) in slot.iter().zip(*start..) {
                        let stays = live.contains(&(address / page_bytes));
                        assert_eq!(*byte, if stays { 0xAA } else { 0 }, "pages of {page_bytes} bytes");
                    }
                    let stays = |page: &usize| live.contains(&(page * system / page_bytes));
                    given_back.extend(pages(start, system).filter(|page| !stays(page)));
                }
            }
            assert_eq!(trimmed, given_back.len() * system);
        };
        // A thread has a place with one allocator only.
        let trim = || os::coarse_pages::with_page_bytes(page_bytes, trim);
        std::thread::scope(|scope| scope.spawn(trim).join().unwrap());
    }
}

/// One slot in `LIVE` stays live.
const LIVE: usize = 70;
const FIRST_LIVE: usize = 35;

/// Takes and writes all slots of a size, and gives back all but some. Returns where they start, lowest first.
fn use_all_but_some(pools: &Pools, bytes: usize, slots: usize) -> Vec<usize> {
    let layout = Layout::from_size_align(bytes, 1).unwrap();
    let mut blocks: Vec<Block> =
        (0..slots).map(|_| pools.take(Tally::Own(pools.own().unwrap()), layout).unwrap()).collect();
    blocks.sort_unstable_by_key(|block| block.start);
    let starts = blocks.iter().map(|block| block.start.expose_provenance()).collect();
    for (number, block) in blocks.into_iter().enumerate() {
        // SAFETY: a live block of that size, this test's alone.
        unsafe { block.start.write_bytes(0xAA, bytes) };
        if number % LIVE != FIRST_LIVE {
            let found = pools.find(block.start, layout);
            // SAFETY: just found, and the block is not used any more.
            unsafe { pools.give(Tally::Own(pools.own().unwrap()), found) };
        }
    }
    starts
}
