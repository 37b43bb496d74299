//! P3 with magazines: whatever other threads have cached, no slot is out of reach, and an exhausted class costs next to nothing.
//!
//! No `#[global_allocator]` here: a thread has magazines with the first allocator that it uses, and that shall be the one
//! under test.

mod common;

use std::sync::{Barrier, Mutex};
use std::thread;

use common::{Block, layout, whole};
use framepool::{Class, Config, PoolAlloc};

/// A pool that lives for ever, as its threads' places do.
fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

/// Caches slots of `classes` on a thread of its own, which sleeps until `done`.
fn cache_and_sleep<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    pool: &'static PoolAlloc,
    classes: &'static [Class],
    cached: &'scope Barrier,
    done: &'scope Barrier,
) {
    // One at a time: who comes to a set again and again without others in between gets a magazine.
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

/// Every slot of a class, all hits; given back.
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

/// The first thread's magazine grows to what its bursts need, the others' ask for it back.
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

/// Whoever has no place (here: the crowd beyond the table) finds what those with one have cached.
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
        // This thread's first use of the pool: no place is left for it.
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

/// Free ones in a magazine are told from those in the set, and both from live ones.
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
    // Layouts of this size have the held-back half first.
    assert_eq!(count(&states[512..1_024], Live), live);
    assert_eq!(POOL.slot_states(Class::Small, &mut states[..520]), 520);
    blocks.into_iter().for_each(Block::give);
    POOL.slot_states(Class::Small, &mut states);
    let cached = count(&states[..1_024], Cached);
    assert_eq!((count(&states[..1_024], Live), count(&states[..1_024], Free)), (0, 1_024 - cached));
    assert_eq!(cached > 0, cfg!(all(target_os = "linux", not(framepool_os = "none"))));
}
