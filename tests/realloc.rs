//! P6: resizes in place, moves between classes, and moves into the fallback and out of it.

mod common;
#[path = "common/system.rs"]
mod system;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Barrier, Mutex};

use common::layout;
use framepool::{Bypass, Class, Config, PoolAlloc, SlotState, Stats};

fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

/// A block whose contents are checked and extended at every step. Every 61st byte is written, so every page
/// is covered.
struct Block {
    pool: &'static PoolAlloc,
    ptr: *mut u8,
    layout: Layout,
}

/// Returns the byte at position `i` of every block.
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

    /// Resizes the block. Returns whether it moved.
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

    /// Returns the class of its slot, or `None` for a block of the fallback.
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
        assert_eq!(since.served(), (4, bytes));
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
    let mut block = Block::new(pool, 100_000);
    // Like a `Vec` whose capacity is more than it uses.
    let mut roomy = Block::new(pool, 20_000);
    assert!(!roomy.resize(60_000) && !block.resize(100_001));
    let mut small = Block::new(pool, 2_000);
    assert!(!small.resize(3_000), "it grows");
    assert!(small.resize(150), "it shrinks");
}

/// Plays a program that builds something in a large buffer and keeps little of it. Its small objects have
/// taken all open slots of Small.
#[test]
fn small_remainders_of_frames_hold_no_slot_of_a_frame() {
    let pool = pool(Config::new());
    let _tiny = exhaust(pool, 10);
    let before = pool.stats();
    let boxes: Vec<_> = (0..100)
        .map(|_| {
            let mut frame = Block::new(pool, 1_400_000);
            assert_eq!(frame.class(), Some(Class::XLarge));
            assert!(frame.resize(40));
            assert_eq!(frame.class(), None);
            frame
        })
        .collect();
    let since = pool.stats().since(&before);
    assert_eq!((since.hits(), since.returns(), since.class(Class::XLarge).in_use), (100, 100, 0));
    assert_eq!((since.misses(), since.bypasses(), since.reallocs_in_place()), (0, 0, 0));
    assert_eq!((since.shrunk_to_fallback(), since.fallbacks(), since.fallback_bytes()), (100, 100, 4_000));
    assert_eq!((since.reallocs_moved(), since.total_allocs()), (100, 100));
    drop(boxes);
}

#[test]
fn a_shrink_goes_to_the_class_of_its_new_size_or_to_the_fallback_and_to_no_other() {
    let pool = pool(Config::new());
    let mut block = Block::new(pool, 1 << 20);
    let tiny = exhaust(pool, 10);
    let before = pool.stats();
    // Medium and Large have free slots, but these are larger than the block needs.
    assert!(block.resize(10));
    assert_eq!(block.class(), None, "what is left of Small is held back");
    let mut small = Block::new(pool, 65_536);
    assert!(small.resize(300));
    assert_eq!(small.class(), Some(Class::Small));
    drop(tiny);
    let mut block = Block::new(pool, 1 << 20);
    assert!(block.resize(10));
    assert_eq!(block.class(), Some(Class::Small));
    let since = pool.stats().since(&before);
    assert_eq!((since.misses(), since.bypasses(), since.shrunk_to_fallback()), (0, 0, 1));
}

#[test]
fn a_remainder_that_may_not_have_a_held_back_slot_does_not_keep_one() {
    let pool = pool(Config::new());
    let held = || (512..1024).filter(|&slot| states(pool)[slot] == SlotState::Live).count();
    let mut block = Block::new(pool, 1_000);
    assert_eq!(held(), 1);
    assert!(!block.resize(256), "it may have that slot");
    assert!(block.resize(255));
    assert_eq!((block.class(), held()), (Some(Class::Small), 0));
    let _tiny = exhaust(pool, 10);
    let mut block = Block::new(pool, 1_000);
    assert!(block.resize(40));
    assert_eq!((block.class(), held()), (None, 0));
}

fn states(pool: &PoolAlloc) -> [SlotState; 1024] {
    let mut states = [SlotState::Free; 1024];
    assert_eq!(pool.slot_states(Class::Small, &mut states), 1024);
    states
}

#[test]
fn a_shrink_while_the_pools_are_switched_off_goes_to_the_fallback() {
    let pool = pool(Config::new());
    let mut block = take_enabled(pool, 65_536);
    assert!(!block.resize(16_385), "more than a quarter");
    assert!(block.resize(10), "as a new request would");
    assert_eq!((block.class(), pool.stats().shrunk_to_fallback()), (None, 1));
    pool.set_enabled(true);
}

/// Shrinks a block while other threads have cached all slots of the smaller class. A new request would
/// reclaim those.
#[test]
fn a_shrink_starts_no_reclaim() {
    const CONFIG: Config =
        Config::new().class(Class::Small, 1_024, 4).hold_back(Class::Small, 0, 0).magazine(Class::Small, 2);
    let pool = pool(CONFIG);
    let (turn, cached, done) = (Mutex::new(()), Barrier::new(3), Barrier::new(3));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let in_turn = turn.lock().unwrap();
                // Takes and gives until the thread has a magazine.
                (0..100).for_each(|_| drop(Block::new(pool, 1_000)));
                let blocks = [Block::new(pool, 1_000), Block::new(pool, 1_000)];
                drop(in_turn);
                cached.wait();
                drop(blocks);
                cached.wait();
                done.wait();
            });
        }
        cached.wait();
        cached.wait();
        let mut states = [SlotState::Free; 4];
        pool.slot_states(Class::Small, &mut states);
        let mut block = Block::new(pool, 60_000);
        block.resize(300);
        let after = Block::new(pool, 300);
        // The other threads wait at this barrier, so no assertion may fail before it.
        done.wait();
        let is_all_cached = states == [SlotState::Cached; 4];
        // Without magazines there is nothing to reclaim.
        assert!(is_all_cached || !system::HAS_MAGAZINES, "{states:?}");
        assert_eq!(block.class().is_none(), is_all_cached);
        assert_eq!(after.class(), Some(Class::Small), "a request reclaims them");
    });
}

/// Switches the pools on, takes a block, and switches them off.
fn take_enabled(pool: &'static PoolAlloc, size: usize) -> Block {
    pool.set_enabled(true);
    let block = Block::new(pool, size);
    pool.set_enabled(false);
    block
}

#[test]
fn a_shrink_below_a_floor_goes_to_the_fallback_from_the_class_itself_too() {
    let pool = pool(Config::new().floor(Class::Small, 257));
    for size in [65_536, 1_000] {
        let mut block = Block::new(pool, size);
        assert!(block.resize(100), "{size} bytes");
        assert_eq!(block.class(), None);
    }
    let stats = pool.stats();
    assert_eq!((stats.shrunk_to_fallback(), stats.bypasses(), stats.reallocs_in_place()), (2, 0, 0));
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
