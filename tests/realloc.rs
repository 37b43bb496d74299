//! P6: growth in place, moves between classes, into and out of the fallback, and what a failure leaves behind.

mod common;

use std::alloc::{GlobalAlloc, Layout};

use common::layout;
use framepool::{Bypass, Class, Config, PoolAlloc, Stats};

fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

/// One block, whose contents are checked and extended at every step: a byte in every 61, so that all pages are met.
struct Block {
    pool: &'static PoolAlloc,
    ptr: *mut u8,
    layout: Layout,
}

/// The byte that belongs at position `i` of every block here.
fn pattern(i: usize) -> u8 {
    (i * 31 + i / 256) as u8
}

impl Block {
    fn new(pool: &'static PoolAlloc, size: usize) -> Self {
        Self::with_layout(pool, layout(size, 8))
    }

    fn with_layout(pool: &'static PoolAlloc, layout: Layout) -> Self {
        // SAFETY: not of size 0; written within its size.
        unsafe {
            let ptr = pool.alloc(layout);
            (0..layout.size()).step_by(61).for_each(|i| ptr.add(i).write(pattern(i)));
            Self { pool, ptr, layout }
        }
    }

    /// Resizes the block; says whether it moved.
    fn resize(&mut self, new_size: usize) -> bool {
        let (old, old_size) = (self.ptr, self.layout.size());
        // SAFETY: a live block and its layout; read and written within its sizes.
        unsafe {
            self.ptr = self.pool.realloc(old, self.layout, new_size);
            assert!(!self.ptr.is_null());
            assert!(
                (0..old_size.min(new_size)).step_by(61).all(|i| self.ptr.add(i).read() == pattern(i)),
                "contents"
            );
            (0..new_size).step_by(61).for_each(|i| self.ptr.add(i).write(pattern(i)));
        }
        self.layout = layout(new_size, self.layout.align());
        assert!(self.ptr.addr().is_multiple_of(self.layout.align()));
        self.ptr != old
    }

    /// The class that it lives in; `None` for the fallback.
    fn class(&self) -> Option<Class> {
        let slot_bytes = self.pool.usable_size(self.ptr)?;
        Class::ALL.into_iter().find(|&class| Config::new().slot_bytes(class) == slot_bytes)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: live, with its layout.
        unsafe { self.pool.dealloc(self.ptr, self.layout) };
    }
}

/// Takes every slot that a layout of `size` bytes can have.
fn exhaust(pool: &'static PoolAlloc, size: usize) -> Vec<Block> {
    let blocks = std::iter::repeat_with(|| Block::new(pool, size)).take_while(|block| pool.owns(block.ptr));
    blocks.collect()
}

fn moves(stats: Stats) -> (u64, u64) {
    (stats.reallocs_in_place(), stats.reallocs_moved())
}

#[test]
fn growth_and_shrinking_within_a_slot_move_nothing() {
    let pool = pool(Config::new());
    for (class, sizes) in [
        (Class::Small, [1, 900, 1_024, 257]),
        (Class::Medium, [2_000, 65_536, 20_000, 16_385]),
        (Class::Large, [70_000, 262_144, 200_000, 65_537]),
        (Class::XLarge, [300_000, 2 << 20, 1 << 20, (512 << 10) + 1]),
    ] {
        let before = pool.stats();
        let mut block = Block::new(pool, sizes[0]);
        assert!(sizes[1..].iter().all(|&size| !block.resize(size) && block.class() == Some(class)));
        let since = pool.stats().since(&before);
        assert_eq!((since.hits(), moves(since)), (1, (3, 0)));
        let bytes = sizes.iter().sum::<usize>() as u64;
        assert_eq!(since.class(class).requested_bytes, bytes);
        assert_eq!(since.answered(), (4, bytes));
    }
}

#[test]
fn growth_past_a_slot_moves_to_the_next_class_that_fits_and_past_the_last_to_the_fallback() {
    let pool = pool(Config::new());
    let mut block = Block::new(pool, 1_000);
    for (size, class) in [
        (1_025, Some(Class::Medium)),
        (100_000, Some(Class::Large)),
        (2 << 20, Some(Class::XLarge)),
        ((2 << 20) + 1, None),
        (5 << 20, None),
    ] {
        block.resize(size);
        assert_eq!(block.class(), class, "{size} bytes");
    }
    let stats = pool.stats();
    assert_eq!((stats.hits(), stats.returns(), moves(stats)), (4, 4, (0, 4)));
    assert_eq!((stats.bypassed(Bypass::TooLarge), stats.fallbacks()), (2, 2));
    assert_eq!(stats.fallback_bytes(), (2 << 20) + 1 + (5 << 20));
    assert_eq!(Class::ALL.map(|class| stats.class(class).in_use), [0; 4]);
}

#[test]
fn a_block_that_outgrows_its_slot_goes_to_the_fallback_when_the_next_class_is_exhausted() {
    let pool = pool(Config::new());
    let _all = exhaust(pool, 100_000);
    let before = pool.stats();
    let mut block = Block::new(pool, 65_536);
    block.resize(65_537);
    assert_eq!(block.class(), None);
    let since = pool.stats().since(&before);
    assert_eq!((since.class(Class::Large).misses, moves(since)), (1, (0, 1)));
}

#[test]
fn a_shrink_moves_down_only_at_a_quarter_of_the_slot_or_less() {
    let pool = pool(Config::new());
    let mut block = Block::new(pool, 2 << 20);
    assert!(!block.resize((512 << 10) + 1));
    // A quarter, but no smaller class fits it.
    assert!(!block.resize(512 << 10));
    assert!(!block.resize((256 << 10) + 1));
    assert!(block.resize(256 << 10));
    assert_eq!(block.class(), Some(Class::Large));
    assert!(!block.resize((64 << 10) + 1));
    assert!(block.resize(64 << 10));
    assert!(block.resize(16));
    assert_eq!(block.class(), Some(Class::Small));
    assert_eq!(moves(pool.stats()), (4, 3));
}

#[test]
fn a_shrink_to_more_than_a_quarter_stays_even_where_a_smaller_class_fits_it() {
    let pool = pool(Config::new().class(Class::Large, 128 << 10, 4));
    let mut block = Block::new(pool, 128 << 10);
    assert!(!block.resize((32 << 10) + 1));
    assert!(block.resize(32 << 10));
    assert_eq!(block.class(), Some(Class::Medium));
}

#[test]
fn growth_from_below_a_quarter_of_the_slot_is_no_shrink() {
    let pool = pool(Config::new());
    let all = exhaust(pool, 10);
    let mut block = Block::new(pool, 60_000);
    assert!(!block.resize(100), "Small has no slot for it now");
    drop(all);
    assert!(!block.resize(200), "it grows");
    assert!(block.resize(150), "it shrinks, and Small has one");
}

#[test]
fn a_shrink_stays_where_it_is_when_the_smaller_class_has_no_slot_for_it_now() {
    let pool = pool(Config::new());
    let tiny = exhaust(pool, 10);
    let before = pool.stats();
    let mut block = Block::new(pool, 65_536);
    assert!(!block.resize(10), "what is left of Small is held back");
    assert!(block.resize(300) || block.class() == Some(Class::Medium));
    let since = pool.stats().since(&before);
    assert_eq!((since.misses(), since.bypasses(), since.fallbacks()), (0, 0, 0));
    drop(tiny);

    pool.set_enabled(false);
    let mut block_off = take_enabled(pool, 65_536);
    assert!(!block_off.resize(10), "switched off, the pools take nothing new");
    pool.set_enabled(true);
}

/// A block from the pools, which are switched off before and after.
fn take_enabled(pool: &'static PoolAlloc, size: usize) -> Block {
    pool.set_enabled(true);
    let block = Block::new(pool, size);
    pool.set_enabled(false);
    block
}

#[test]
fn a_shrink_never_moves_below_a_floor_or_to_the_fallback() {
    let pool = pool(Config::new().floor(Class::Small, 257));
    let mut block = Block::new(pool, 65_536);
    assert!(!block.resize(100));
    assert!(block.resize(50) || block.class() == Some(Class::Medium));
    assert_eq!(pool.stats().fallbacks(), 0);
}

#[test]
fn a_shrink_keeps_an_alignment_that_the_smaller_class_does_not_have() {
    let pool = pool(Config::new());
    let mut block = Block::with_layout(pool, layout(2 << 20, 128 << 10));
    assert!(!block.resize((512 << 10) + 1));
    assert!(block.resize(1));
    assert_eq!(block.class(), Some(Class::Large), "the smallest class with that alignment");
}

#[test]
fn a_fallback_block_moves_into_a_pool_only_when_it_grows_and_a_slot_is_free() {
    let pool = pool(Config::new());
    pool.set_enabled(false);
    let mut shrinking = Block::new(pool, 100_000);
    let mut growing = Block::new(pool, 100_000);
    pool.set_enabled(true);

    shrinking.resize(90_000);
    assert_eq!(shrinking.class(), None);
    let stats = pool.stats();
    assert_eq!((stats.hits(), stats.fallbacks(), stats.fallback_bytes()), (0, 3, 290_000));

    growing.resize(100_001);
    assert_eq!(growing.class(), Some(Class::Large));
    assert_eq!((pool.stats().hits(), moves(pool.stats())), (1, (0, 1)));

    let _all = exhaust(pool, 100_000);
    let before = pool.stats();
    shrinking.resize(95_000);
    assert_eq!(shrinking.class(), None);
    assert_eq!(pool.stats().since(&before).class(Class::Large).misses, 1);
    assert_eq!(moves(pool.stats().since(&before)), (0, 0));
}

#[test]
fn growing_a_vec_in_small_steps_moves_it_three_times() {
    let pool = pool(Config::new());
    let mut block = Block::new(pool, 64);
    let moved = (128..=2 << 20).step_by(4_096).filter(|&size| block.resize(size)).count();
    assert_eq!(moved, 3);
}
