//! P3, P5, P13: `trim` takes the memory of free slots and never that of live blocks, while other threads use
//! the pools.
//!
//! `trim_memory.rs` checks what the kernel reports about the memory afterwards.

mod common;
#[path = "common/system.rs"]
mod system;

use std::alloc::GlobalAlloc;
#[cfg(unix)]
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Barrier, Mutex};
use std::thread;

use common::{Block, layout, whole};
#[cfg(unix)]
use common::{Random, child, run_to_success};
use framepool::{Class, Config, PoolAlloc, Reservation};
use system::{TRIM_CLEANS, TRIMS};

/// Makes a pool that lives as long as the process, as its threads' places do.
fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

/// A table with slots smaller than a page, slots larger than one, and odd sizes, so that neighbours share
/// pages.
const ODD: Config = Config::new().class(Class::Small, 320, 300).class(Class::Medium, 65_600, 40).class(
    Class::XLarge,
    3_110_400,
    12,
);

/// Allocates a zeroed block, writes all of it, and frees it. Panics if it was not zero.
fn use_zeroed(pool: &PoolAlloc, size: usize) {
    static ZEROS: [u8; 4 << 20] = [0; 4 << 20];
    let layout = layout(size, 1);
    // SAFETY: read and written within its size, and freed as it was allocated.
    unsafe {
        let start = pool.alloc_zeroed(layout);
        let block = std::slice::from_raw_parts_mut(start, size);
        assert!(*block == ZEROS[..size], "{size} bytes are not all zero");
        block.fill(0xAA);
        pool.dealloc(start, layout);
    }
}

/// Writes every slot of every class, and gives all back.
fn use_all(pool: &PoolAlloc) {
    for class in Class::ALL {
        let size = pool.stats().class(class).slot_bytes as usize;
        let blocks: Vec<_> =
            (0..pool.stats().class(class).slots).map(|id| Block::take(pool, layout(size, 1), id)).collect();
        for block in &blocks {
            // SAFETY: within the block, between the stamps at its ends.
            unsafe { block.start.add(16).write_bytes(0xAA, size - 32) };
        }
        blocks.into_iter().for_each(Block::give);
    }
}

#[test]
fn before_anything_is_reserved_there_is_nothing_to_trim() {
    let pool = pool(Config::new());
    assert_eq!(pool.trim(), 0);
    assert_eq!(pool.stats().reservation(), Reservation::Pending);
}

#[test]
fn a_pool_that_is_switched_off_is_trimmed_too() {
    let pool = pool(Config::new());
    use_zeroed(pool, 1 << 20);
    pool.set_enabled(false);
    assert_eq!(pool.trim() > 0, TRIMS);
    assert_eq!(pool.trim(), 0);
}

#[test]
fn zeroed_memory_needs_no_memset_after_a_trim_and_is_zero() {
    for config in [Config::new(), Config::new().hardened(true), ODD.hold_back(Class::Small, 0, 0)] {
        let pool = pool(config.hold_back(Class::Medium, 0, 0));
        use_all(pool);
        assert_eq!(pool.trim() > 0, TRIMS);
        let mut blocks = 0;
        for class in Class::ALL {
            for _ in 0..2 {
                use_zeroed(pool, pool.stats().class(class).slot_bytes as usize);
                blocks += u64::from(TRIM_CLEANS);
                pool.trim();
            }
        }
        assert_eq!((pool.stats().memsets_skipped(), pool.stats().memsets_done()), (blocks, 8 - blocks));
    }
}

#[test]
fn live_blocks_keep_every_byte_and_neighbours_on_their_pages_are_cleared_when_they_come_back() {
    for config in [Config::new(), ODD] {
        let pool = pool(config);
        use_all(pool);
        let mut live = Vec::new();
        for class in Class::ALL {
            let size = pool.stats().class(class).slot_bytes as usize;
            let blocks: Vec<_> = (0..pool.stats().class(class).slots)
                .map(|id| Block::take(pool, layout(size, 1), id))
                .collect();
            for (block, n) in blocks.into_iter().zip(0..) {
                // SAFETY: within the block, between the stamps at its ends.
                unsafe { block.start.add(16).write_bytes(0x55, size - 32) };
                // Two of five stay live, so that some free slots have a live neighbour and some have none.
                if n % 5 < 2 { live.push(block) } else { block.give() }
            }
        }
        pool.trim();
        for block in &live {
            block.check();
            // SAFETY: within its size, and this test's alone.
            let inside = unsafe { std::slice::from_raw_parts(block.start.add(16), block.layout.size() - 32) };
            assert!(inside.iter().all(|&byte| byte == 0x55));
        }
        for class in Class::ALL {
            let size = pool.stats().class(class).slot_bytes as usize;
            (0..3).for_each(|_| use_zeroed(pool, size));
        }
        live.into_iter().for_each(Block::give);
    }
}

#[test]
fn what_one_took_while_others_trim_is_its_own_zeroed_memory_is_zero_and_no_slot_is_lost() {
    const ROUNDS: u64 = 3_000;
    for config in [Config::new(), ODD] {
        let pool = pool(config);
        // Reserves the pools first: while another thread does so, the fallback serves.
        Block::take(pool, layout(100, 1), 0).give();
        let done = AtomicBool::new(false);
        let sizes = Class::ALL.map(|class| config.slot_bytes(class));
        thread::scope(|scope| {
            let trimmers = [false, true].map(|prewarms| {
                let done = &done;
                scope.spawn(move || {
                    for round in (0..16).cycle().take_while(|_| !done.load(Relaxed)) {
                        pool.trim();
                        if prewarms && round == 0 {
                            pool.prewarm();
                        }
                    }
                })
            });
            let users = [1, 2, 3].map(|thread: u64| {
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for round in 0..ROUNDS {
                        let class = (round * 7 + thread) as usize % 4;
                        let size = sizes[class] - (round as usize % 40);
                        if class < 3 || round % 16 == 0 {
                            use_zeroed(pool, size);
                        }
                        held.push(Block::take(pool, layout(size, 8), thread << 32 | round));
                        if held.len() > 9 {
                            held.swap_remove(round as usize % 9).give();
                        }
                    }
                    held.into_iter().for_each(Block::give);
                })
            });
            // The trimmers end even if a user has failed, and so does the test.
            let users = users.map(thread::ScopedJoinHandle::join);
            done.store(true, Relaxed);
            trimmers.into_iter().for_each(|trimmer| trimmer.join().unwrap());
            users.into_iter().for_each(|user| user.unwrap());
        });
        pool.check_invariants();
        for class in Class::ALL {
            let stats = pool.stats().class(class);
            assert_eq!((stats.in_use, stats.hits), (0, stats.returns), "{class}");
            assert!(stats.peak <= stats.slots);
            let all = layout(stats.slot_bytes as usize, 1);
            let blocks: Vec<_> = (0..stats.slots).map(|id| Block::take(pool, all, id)).collect();
            assert!(blocks.iter().all(|block| pool.owns(block.start)), "{class}");
            blocks.into_iter().for_each(Block::give);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_thread_stopped_in_the_middle_of_a_trim_keeps_back_what_it_was_moving_and_stops_no_other() {
    use std::os::unix::thread::JoinHandleExt;

    const STOPS: u64 = 200;
    const CONFIG: Config =
        Config::new().magazine(Class::Medium, 16).magazine(Class::Large, 16).magazine(Class::XLarge, 16);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    static STOPPED: AtomicBool = AtomicBool::new(false);
    static DONE: AtomicBool = AtomicBool::new(false);

    extern "C" fn stop(_: libc::c_int) {
        STOPPED.store(true, SeqCst);
        while STOPPED.load(SeqCst) {
            thread::yield_now();
        }
    }

    /// Takes every slot of `class` that is available, and gives them back dirty. Returns the number of slots
    /// that were missing.
    fn take_and_give_all(class: Class) -> u64 {
        let mut blocks = vec![Block::take(&POOL, whole(class), 0)];
        while POOL.owns(blocks[blocks.len() - 1].start) {
            blocks.push(Block::take(&POOL, whole(class), blocks.len() as u64));
        }
        let taken = blocks.len() as u64 - 1;
        blocks.into_iter().for_each(Block::give);
        POOL.stats().class(class).slots - taken
    }

    if common::case().is_none() {
        let test = a_thread_stopped_in_the_middle_of_a_trim_keeps_back_what_it_was_moving_and_stops_no_other;
        return run_to_success(child(test, "stops"));
    }
    // SAFETY: all zeros is a valid action; the handler touches one atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = stop as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    assert_eq!(Class::ALL.map(take_and_give_all), [0; 4]);
    let trimmer = thread::spawn(|| {
        while !DONE.load(SeqCst) {
            POOL.trim();
        }
    });
    let mut random = Random(1);
    let mut most = [0; 4];
    for _ in 0..STOPS {
        (0..random.below(1 << 16)).for_each(|_| std::hint::spin_loop());
        // SAFETY: the thread lives until it is joined.
        assert_eq!(unsafe { libc::pthread_kill(trimmer.as_pthread_t() as _, libc::SIGUSR1) }, 0);
        while !STOPPED.load(SeqCst) {
            thread::yield_now();
        }
        let missing = Class::ALL.map(take_and_give_all);
        let held_of_one_class = missing.iter().filter(|&&missing| missing > 0).count() <= 1;
        assert!(held_of_one_class, "{missing:?} slots are stuck");
        most = std::array::from_fn(|class| missing[class].max(most[class]));
        STOPPED.store(false, SeqCst);
    }
    DONE.store(true, SeqCst);
    trimmer.join().unwrap();
    // The trimmer keeps back an eighth of a lane at most. If it was stopped with the reclaim lock, it keeps
    // back what the magazine held that it was emptying.
    let at_most = most[0] <= 64 && most[1..].iter().all(|&most| most <= 16);
    assert!(at_most, "{most:?} slots were stuck");
    assert!(!TRIMS || most != [0; 4], "it was never stopped where this test wants it");
    assert_eq!(Class::ALL.map(take_and_give_all), [0; 4]);
}

#[test]
fn slots_that_sleeping_threads_have_cached_are_trimmed_and_still_within_reach() {
    let pool = pool(Config::new());
    let (cached, done) = (Barrier::new(9), Barrier::new(9));
    let turns = Mutex::new(());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // One thread after the other, and often enough for the thread to get magazines.
                let turn = turns.lock().unwrap();
                for class in Class::ALL {
                    (0..20).for_each(|id| Block::take(pool, whole(class), id).give());
                }
                drop(turn);
                cached.wait();
                done.wait();
            });
        }
        cached.wait();
        let trimmed = pool.trim();
        // A slot that was left in a magazine would still be dirty.
        let mut blocks = Vec::new();
        for class in Class::ALL {
            for _ in 0..pool.stats().class(class).slots {
                // SAFETY: not empty; freed below as it was allocated.
                blocks.push((unsafe { pool.alloc_zeroed(whole(class)) }, whole(class)));
            }
        }
        // SAFETY: as above.
        blocks.into_iter().for_each(|(start, layout)| unsafe { pool.dealloc(start, layout) });
        done.wait();
        assert_eq!((trimmed > 0, pool.stats().misses()), (TRIMS, 0));
        assert_eq!(pool.stats().memsets_done() == 0, TRIM_CLEANS);
    });
}
