//! P3 with magazines: a thread can take every slot of a class, also those that other threads have cached.
//!
//! This file has no `#[global_allocator]`. A thread has magazines only in the first allocator that it uses.
//! Here, that has to be the allocator under test.

mod common;
#[path = "common/system.rs"]
mod system;

use std::sync::{Barrier, Mutex};
use std::thread;

use common::{Block, layout, whole};
use framepool::{Class, Config, PoolAlloc};

/// Makes a pool that lives as long as the process, as its threads' places do.
fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

/// Starts a thread that caches slots of `classes` and then sleeps until `done`.
fn cache_and_sleep<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    pool: &'static PoolAlloc,
    classes: &'static [Class],
    cached: &'scope Barrier,
    done: &'scope Barrier,
) {
    // One thread at a time: a thread gets a magazine when it visits a set 16 times in a row, without another
    // thread in between.
    static ALONE: Mutex<()> = Mutex::new(());
    scope.spawn(move || {
        let alone = ALONE.lock();
        for &class in classes {
            (0..20).for_each(|id| Block::take(pool, whole(class), id).give());
        }
        drop(alone);
        cached.wait();
        done.wait();
    });
}

/// Takes every slot of a class, and gives all back. Panics if a take misses.
fn take_all(pool: &'static PoolAlloc, class: Class) {
    let before = pool.stats();
    let slots = before.class(class).slots;
    let blocks: Vec<_> = (0..slots).map(|id| Block::take(pool, whole(class), id)).collect();
    assert!(blocks.iter().all(|block| pool.owns(block.start)), "{class}");
    let after = pool.stats().since(&before);
    assert_eq!((after.class(class).hits, after.misses()), (slots, 0));
    assert_eq!((after.class(class).in_use, after.class(class).peak), (slots, slots));
    blocks.into_iter().for_each(Block::give);
}

#[test]
fn one_thread_takes_all_slots_of_each_class_while_64_that_cached_some_sleep() {
    const THREADS: usize = 64;
    let pool = pool(Config::new());
    let (cached, done) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            cache_and_sleep(scope, pool, &Class::ALL, &cached, &done);
        }
        cached.wait();
        for class in Class::ALL {
            take_all(pool, class);
            take_all(pool, class);
        }
        pool.check_invariants();
        done.wait();
    });
    for class in Class::ALL {
        take_all(pool, class);
    }
}

#[test]
fn a_layout_that_may_have_every_slot_gets_those_that_tiny_objects_cached() {
    let pool = pool(Config::new());
    let (cached, done) = (Barrier::new(9), Barrier::new(9));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let tiny: Vec<_> = (0..20).map(|id| Block::take(pool, layout(10, 1), id)).collect();
                tiny.into_iter().for_each(Block::give);
                cached.wait();
                done.wait();
            });
        }
        cached.wait();
        pool.check_invariants();
        take_all(pool, Class::Small);
        pool.check_invariants();
        done.wait();
    });
}

/// Runs bursts on 4 threads, whose magazines grow to the size of a burst. Each thread then has to reclaim
/// what the other threads have cached.
#[test]
fn bursts_on_more_threads_than_a_class_has_slots_for_lose_no_slot() {
    let pool = pool(Config::new().class(Class::XLarge, 1 << 20, 16));
    let one_mib = layout(1 << 20, 8);
    let burst = |id: u64| {
        let blocks: Vec<_> = (0..12).map(|n| Block::take(pool, one_mib, 100 * id + n)).collect();
        blocks.into_iter().for_each(Block::give);
    };
    thread::scope(|scope| {
        for id in 0..4 {
            scope.spawn(move || (0..500).for_each(|_| burst(id)));
        }
    });
    let stats = pool.stats().class(Class::XLarge);
    assert_eq!((stats.in_use, stats.hits), (0, stats.returns));
    let blocks: Vec<_> = (0..16).map(|id| Block::take(pool, one_mib, id)).collect();
    assert!(blocks.iter().all(|block| pool.owns(block.start)));
    blocks.into_iter().for_each(Block::give);
}

/// A thread without a place can reclaim what threads with a place have cached. Here, the threads beyond the
/// size of the table have none.
#[test]
fn threads_without_a_place_reach_every_slot() {
    const CROWD: usize = 300;
    let pool = pool(Config::new());
    let (cached, done) = (Barrier::new(CROWD + 1), Barrier::new(CROWD + 1));
    thread::scope(|scope| {
        for _ in 0..CROWD {
            cache_and_sleep(scope, pool, &[Class::Large], &cached, &done);
        }
        cached.wait();
        // This is the calling thread's first use of the pool, and no place is left for it.
        take_all(pool, Class::Large);
        done.wait();
    });
}

#[test]
fn a_class_without_magazines_serves_as_well() {
    let config = Class::ALL.into_iter().fold(Config::new(), |config, class| config.magazine(class, 0));
    let pool = pool(config);
    for class in Class::ALL {
        take_all(pool, class);
    }
}

#[test]
fn without_magazines_the_peak_is_exact_even_if_no_snapshot_saw_it() {
    let pool = pool(Config::new().magazine(Class::Small, 0));
    let blocks: Vec<_> = (0..7).map(|id| Block::take(pool, layout(1_000, 8), id)).collect();
    blocks.into_iter().for_each(Block::give);
    let small = pool.stats().class(Class::Small);
    assert_eq!((small.hits, small.returns, small.in_use, small.peak), (7, 7, 0, 7));
}

/// Checks that `slot_states` tells cached slots from free ones in the set, and both from live ones.
#[test]
fn a_tool_sees_where_each_slot_is() {
    use framepool::SlotState::{self, Cached, Free, Live};
    static POOL: PoolAlloc = PoolAlloc::new();
    let mut states = [SlotState::default(); 2_000];
    assert_eq!(POOL.slot_states(Class::Small, &mut states), 0, "nothing is reserved yet");
    let blocks: Vec<_> = (0..40).map(|id| Block::take(&POOL, layout(1_000, 8), id)).collect();
    let live = 40;
    assert_eq!(POOL.slot_states(Class::Small, &mut states), 1_024);
    let count = |states: &[SlotState], state| states.iter().filter(|&&found| found == state).count();
    assert_eq!(count(&states[..1_024], Live), live);
    // Layouts of this size get held-back slots first, which are the upper half.
    assert_eq!(count(&states[512..1_024], Live), live);
    assert_eq!(POOL.slot_states(Class::Small, &mut states[..520]), 520);
    blocks.into_iter().for_each(Block::give);
    POOL.slot_states(Class::Small, &mut states);
    let cached = count(&states[..1_024], Cached);
    assert_eq!((count(&states[..1_024], Live), count(&states[..1_024], Free)), (0, 1_024 - cached));
    assert_eq!(cached > 0, system::HAS_MAGAZINES);
}

/// Each thread also allocates in a destructor of its own, when its place may be given back already. There are more
/// threads than places.
#[test]
fn threads_that_have_ended_keep_no_place() {
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            Block::take(&POOL, layout(2_000, 8), 2).give();
        }
    }
    thread_local! {
        static LATE: Late = const { Late };
    }
    static POOL: PoolAlloc = PoolAlloc::new();
    let use_blocks = || (0..100).for_each(|id| Block::take(&POOL, layout(2_000, 8), id).give());
    for _ in 0..1_500 {
        let thread = std::thread::spawn(move || {
            LATE.with(|_| ());
            use_blocks();
        });
        thread.join().unwrap();
    }
    let cached = std::thread::spawn(move || {
        use_blocks();
        let mut states = [framepool::SlotState::default(); 64];
        let slots = POOL.slot_states(Class::Medium, &mut states);
        states[..slots].iter().filter(|&&state| state == framepool::SlotState::Cached).count()
    });
    assert_eq!(cached.join().unwrap() > 0, system::HAS_MAGAZINES);
}
