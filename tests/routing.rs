//! P1, P3, P4: a layout decides where its block is allocated, the address where it is freed. The smallest
//! class that fits serves, down to its last slot.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use common::layout;
use framepool::{Bypass, Class, Config, PoolAlloc};

/// A table that is small enough to exhaust, without hold-backs. Its slot sizes are not powers of two.
const ODD: Config = Config::new()
    .class(Class::Small, 192, 100)
    .class(Class::Medium, 4_160, 10)
    .class(Class::Large, 65_600, 5)
    .class(Class::XLarge, 3_110_400, 3)
    .hold_back(Class::Small, 0, 0)
    .hold_back(Class::Medium, 0, 0);

fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

/// Takes every slot that `layout` can have, and returns them in that order. Panics if a slot comes twice.
fn take_all(pool: &PoolAlloc, layout: Layout) -> Vec<*mut u8> {
    let mut taken = Vec::new();
    loop {
        // SAFETY: not of size 0.
        let ptr = unsafe { pool.alloc(layout) };
        if !pool.owns(ptr) {
            // SAFETY: just allocated, with this layout.
            unsafe { pool.dealloc(ptr, layout) };
            assert_eq!(taken.iter().collect::<HashSet<_>>().len(), taken.len());
            return taken;
        }
        taken.push(ptr);
    }
}

fn free_all(pool: &PoolAlloc, layout: Layout, blocks: Vec<*mut u8>) {
    for ptr in blocks {
        // SAFETY: each was allocated with this layout and is freed once.
        unsafe { pool.dealloc(ptr, layout) };
    }
}

#[test]
fn each_size_is_served_by_the_smallest_class_that_it_fits() {
    let pool = pool(Config::new());
    let edges = [
        (1, 1 << 10),
        (1 << 10, 1 << 10),
        ((1 << 10) + 1, 64 << 10),
        (64 << 10, 64 << 10),
        ((64 << 10) + 1, 256 << 10),
        (256 << 10, 256 << 10),
        ((256 << 10) + 1, 2 << 20),
        (2 << 20, 2 << 20),
    ];
    for (size, slot_bytes) in edges {
        // SAFETY: not of size 0, freed with the layout it came with.
        unsafe {
            let ptr = pool.alloc(layout(size, 1));
            assert!(pool.owns(ptr) && pool.owns(ptr.add(size - 1)));
            assert_eq!(pool.usable_size(ptr), Some(slot_bytes), "{size} bytes");
            pool.dealloc(ptr, layout(size, 1));
            assert_eq!(pool.usable_size(ptr), None);
        }
    }
    let stats = pool.stats();
    assert_eq!(Class::ALL.map(|class| (stats.class(class).hits, stats.class(class).returns)), [(2, 2); 4]);
    assert_eq!((stats.misses(), stats.bypasses()), (0, 0));
}

#[test]
fn a_layout_larger_or_more_aligned_than_any_slot_bypasses_the_pools() {
    let pool = pool(Config::new());
    for layout in
        [layout((2 << 20) + 1, 1), layout(64 << 20, 4096), layout(1, 4 << 20), layout(1 << 20, 4 << 20)]
    {
        // SAFETY: not of size 0, freed with the layout it came with.
        unsafe {
            let ptr = pool.alloc(layout);
            assert!(!ptr.is_null() && !pool.owns(ptr) && ptr.addr().is_multiple_of(layout.align()));
            pool.dealloc(ptr, layout);
        }
    }
    let stats = pool.stats();
    assert_eq!((stats.bypassed(Bypass::TooLarge), stats.bypassed(Bypass::OverAligned)), (2, 2));
    assert_eq!((stats.hits(), stats.misses(), stats.bypasses(), stats.fallbacks()), (0, 0, 4, 4));
}

#[test]
fn a_one_byte_layout_with_the_alignment_of_a_class_is_a_hit_there() {
    let pool = pool(Config::new());
    for (align, class) in [
        (64, Class::Small),
        (1 << 10, Class::Small),
        (64 << 10, Class::Medium),
        (128 << 10, Class::Large),
        (2 << 20, Class::XLarge),
    ] {
        let before = pool.stats().class(class).hits;
        // SAFETY: not of size 0, freed with the layout it came with.
        unsafe {
            let ptr = pool.alloc(layout(1, align));
            assert!(ptr.addr().is_multiple_of(align));
            pool.dealloc(ptr, layout(1, align));
        }
        assert_eq!(pool.stats().class(class).hits, before + 1, "alignment {align}");
    }
}

#[test]
fn what_small_slots_are_not_aligned_for_does_not_miss_because_they_are_taken() {
    let pool = pool(Config::new().class(Class::Small, 1_600, 8));
    let (tiny, aligned) = (layout(256, 8), layout(256, 128));
    let blocks = take_all(pool, tiny);
    assert_eq!(pool.stats().class(Class::Small).in_use, blocks.len() as u64);
    let stats = pool.stats();
    // SAFETY: not of size 0, freed with the layout it came with.
    unsafe {
        let ptr = pool.alloc(aligned);
        assert!(ptr.addr().is_multiple_of(128));
        pool.dealloc(ptr, aligned);
    }
    let since = pool.stats().since(&stats);
    assert_eq!((since.class(Class::Medium).hits, since.fallbacks()), (1, 0), "{since}");
    free_all(pool, tiny, blocks);
}

#[test]
fn every_slot_is_aligned_to_the_largest_power_of_two_in_its_size() {
    let pool = pool(ODD);
    for class in Class::ALL {
        let slot_bytes = ODD.slot_bytes(class);
        let align = 1 << slot_bytes.trailing_zeros();
        let blocks = take_all(pool, layout(slot_bytes, align));
        assert_eq!(blocks.len(), ODD.slots(class), "{class}");
        assert!(blocks.iter().all(|ptr| ptr.addr().is_multiple_of(align)), "{class}");
        free_all(pool, layout(slot_bytes, align), blocks);
    }
}

#[test]
fn one_thread_gets_every_slot_of_a_class_before_its_first_miss_on_any_thread_they_were_freed() {
    let pool = pool(ODD);
    for class in Class::ALL {
        let layout = layout(ODD.slot_bytes(class), 8);
        for _ in 0..3 {
            std::thread::scope(|scope| {
                scope.spawn(|| free_all(pool, layout, take_all(pool, layout)));
            });
            let blocks = take_all(pool, layout);
            assert_eq!(blocks.len(), ODD.slots(class));
            free_all(pool, layout, blocks);
        }
        let stats = pool.stats().class(class);
        assert_eq!((stats.misses, stats.in_use, stats.peak), (6, 0, stats.slots));
    }
}

#[test]
fn one_slot_given_back_to_an_exhausted_class_is_the_next_hit() {
    let pool = pool(ODD);
    for class in Class::ALL {
        let layout = layout(ODD.slot_bytes(class), 8);
        let blocks = take_all(pool, layout);
        for &ptr in &blocks {
            // SAFETY: live; taken again at once.
            unsafe { pool.dealloc(ptr, layout) };
            // SAFETY: not of size 0.
            assert_eq!(unsafe { pool.alloc(layout) }, ptr);
        }
        free_all(pool, layout, blocks);
    }
}

#[test]
fn slots_at_both_ends_of_the_largest_table_are_handed_out_and_come_back() {
    const SLOTS: usize = Config::MAX_SLOTS;
    const LARGEST: Config = Config::new()
        .class(Class::Small, 64, SLOTS)
        .class(Class::Medium, 128, 65_536)
        .class(Class::Large, 192, 65_536)
        .class(Class::XLarge, 256, 65_536)
        .hold_back(Class::Small, 1_000, 64)
        .hold_back(Class::Medium, 65_536, 0);
    let pool = pool(LARGEST);
    for class in Class::ALL {
        let layout = layout(LARGEST.slot_bytes(class), 64);
        let blocks = take_all(pool, layout);
        assert_eq!(blocks.len(), LARGEST.slots(class), "{class}");
        free_all(pool, layout, blocks);
        assert_eq!(pool.stats().class(class).in_use, 0);
    }
}

#[test]
fn small_layouts_leave_the_held_back_slots_to_larger_ones() {
    let pool = pool(Config::new());
    for (class, tiny, larger) in [(Class::Small, 255, 256), (Class::Medium, 2_000, 16 << 10)] {
        let half = Config::new().slots(class) / 2;
        let tiny_blocks = take_all(pool, layout(tiny, 1));
        assert_eq!(tiny_blocks.len(), half);
        assert_eq!(pool.stats().class(class).held_back, 1);
        assert_eq!(pool.stats().class(class).misses, 0);

        let larger_blocks = take_all(pool, layout(larger, 1));
        assert_eq!(larger_blocks.len(), half);
        assert_eq!(pool.stats().class(class).misses, 1);

        free_all(pool, layout(tiny, 1), tiny_blocks);
        free_all(pool, layout(larger, 1), larger_blocks);
        // If no other block is live, a larger layout gets every slot, the held-back ones first.
        let all = take_all(pool, layout(larger, 1));
        assert_eq!(all.len(), 2 * half);
        assert!(all[..half].iter().min() > all[half..].iter().max());
        free_all(pool, layout(larger, 1), all);
    }
}

#[test]
fn without_a_hold_back_every_layout_has_every_slot() {
    let pool = pool(Config::new().hold_back(Class::Small, 0, 0));
    assert_eq!(take_all(pool, layout(1, 1)).len(), 1024);
    let stats = pool.stats();
    assert_eq!((stats.class(Class::Small).misses, stats.bypasses()), (1, 0));
}

#[test]
fn layouts_below_a_floor_bypass_their_class_and_no_other() {
    let pool = pool(Config::new().floor(Class::Small, 257).floor(Class::Medium, 64 << 20));
    // SAFETY: none of size 0, all freed with their own layout.
    unsafe {
        for (size, is_served) in
            [(1, false), (256, false), (257, true), (1 << 10, true), (1025, false), (70_000, true)]
        {
            let ptr = pool.alloc(layout(size, 1));
            assert_eq!(pool.owns(ptr), is_served, "{size} bytes");
            pool.dealloc(ptr, layout(size, 1));
        }
    }
    let stats = pool.stats();
    assert_eq!((stats.bypassed(Bypass::BelowFloor), stats.bypasses()), (3, 3));
    assert_eq!([stats.class(Class::Small).below_floor, stats.class(Class::Medium).below_floor], [2, 1]);
}

/// The number of live blocks of the fallback.
static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: passes every call on to `System`, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(1, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(1, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[test]
fn a_block_goes_back_to_the_allocator_that_served_it_in_any_order() {
    static POOL: PoolAlloc<Counting> = PoolAlloc::with_fallback(Counting, ODD);
    let layout = layout(3_000_000, 64);
    // SAFETY: each block is freed once, with its layout.
    unsafe {
        // The very first call also reserves the pools. On systems without `mmap`, their memory comes from the
        // fallback.
        POOL.dealloc(POOL.alloc(layout), layout);
        let reserved = LIVE.load(Relaxed);
        let blocks: Vec<_> = (0..8).map(|_| POOL.alloc(layout)).collect();
        assert_eq!(blocks.iter().filter(|&&ptr| POOL.owns(ptr)).count(), 3);
        assert_eq!((POOL.stats().misses(), LIVE.load(Relaxed)), (5, reserved + 5));
        let (even, odd): (Vec<_>, Vec<_>) = blocks.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
        even.into_iter().for_each(|(_, ptr)| POOL.dealloc(ptr, layout));
        odd.into_iter().rev().for_each(|(_, ptr)| POOL.dealloc(ptr, layout));
        assert_eq!((POOL.stats().class(Class::XLarge).in_use, LIVE.load(Relaxed)), (0, reserved));
    }
}

#[test]
fn switched_off_the_pools_take_nothing_new_and_everything_back() {
    let pool = pool(Config::new());
    let layout = layout(100_000, 8);
    // SAFETY: each block is freed once, with its layout.
    unsafe {
        let before = pool.alloc(layout);
        pool.set_enabled(false);
        let during = pool.alloc(layout);
        assert!(pool.owns(before) && !pool.owns(during));
        pool.dealloc(before, layout);
        assert_eq!(pool.stats().class(Class::Large).in_use, 0);
        pool.set_enabled(true);
        pool.dealloc(during, layout);
        let after = pool.alloc(layout);
        assert!(pool.owns(after));
        pool.dealloc(after, layout);
    }
    let stats = pool.stats();
    assert_eq!((stats.hits(), stats.returns(), stats.bypassed(Bypass::Disabled)), (2, 2, 1));
}

#[test]
fn switched_off_before_the_first_allocation_they_can_still_be_switched_on() {
    let pool = pool(Config::new());
    pool.set_enabled(false);
    // SAFETY: each block is freed once, with its layout.
    unsafe {
        let ptr = pool.alloc(layout(10, 1));
        assert!(!pool.owns(ptr));
        pool.dealloc(ptr, layout(10, 1));
        pool.set_enabled(true);
        let ptr = pool.alloc(layout(10, 1));
        assert!(pool.owns(ptr));
        pool.dealloc(ptr, layout(10, 1));
    }
}
