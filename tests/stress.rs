//! Threads that take, pass on, resize and free blocks, with the owner's stamp in every block. The table has
//! so few slots that classes run dry all the time.
//!
//! The threads synchronise by atomics and joins only, so a thread sanitizer can follow all of it
//! (`tests/thread_sanitizer.sh`). `STRESS_SECONDS` sets the duration of each test in seconds, 1 by default.
//! `tests/long.sh` sets 150.

mod common;

use std::env;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};
use std::thread;
use std::time::Duration;

use common::{Block, Random, layout};
use framepool::{Class, Config, PoolAlloc};

type Pooled = Block<'static, PoolAlloc>;

/// A table with so few slots that classes run dry all the time. All slots of Small are in one set, of two words.
const CONFIG: Config = Config::new()
    .class(Class::Small, 1 << 10, 70)
    .hold_back(Class::Small, 0, 0)
    .class(Class::Medium, 4 << 10, 16)
    .class(Class::Large, 8 << 10, 9)
    .class(Class::XLarge, 64 << 10, 6);
const THREADS: usize = 6;
/// The number of entries in which one thread leaves a block for another thread.
const TABLE: usize = 24;

/// The state that the threads of one test share.
struct Arena {
    pool: PoolAlloc,
    table: [AtomicPtr<Pooled>; TABLE],
    is_done: AtomicBool,
    requests: AtomicU64,
}

impl Arena {
    const fn new(config: Config) -> Self {
        Self {
            pool: PoolAlloc::with_config(config),
            table: [const { AtomicPtr::new(null_mut()) }; TABLE],
            is_done: AtomicBool::new(false),
            requests: AtomicU64::new(0),
        }
    }
}

fn size(random: &mut Random) -> usize {
    let max = CONFIG.slot_bytes(Class::ALL[random.below(4)]);
    1 + random.below(max)
}

/// Puts a block, or nothing, into an entry. Returns the block that was there.
fn swap(place: &AtomicPtr<Pooled>, block: Option<Pooled>) -> Option<Pooled> {
    let left = block.map_or(null_mut(), |block| Box::into_raw(Box::new(block)));
    let found = place.swap(left, AcqRel);
    // SAFETY: not null, so a thread made it from a box, and only this thread has it now.
    (!found.is_null()).then(|| *unsafe { Box::from_raw(found) })
}

/// Works until `is_done` is set, but no more than `at_most` steps. Each block is checked before it is resized
/// or freed.
fn work(Arena { pool, table, is_done, requests }: &'static Arena, mut random: Random, at_most: usize) {
    let mut held: Vec<Pooled> = Vec::new();
    for _ in (0..at_most).take_while(|_| !is_done.load(Relaxed)) {
        match random.below(8) {
            0..=2 if held.len() < 40 => {
                held.push(Block::take(pool, layout(size(&mut random), 8), random.0));
                requests.fetch_add(1, Relaxed);
            }
            3 if !held.is_empty() => {
                let block = held.swap_remove(random.below(held.len()));
                held.push(block.resize(size(&mut random)));
            }
            4..=5 => held.extend(swap(&table[random.below(TABLE)], None)),
            6 if !held.is_empty() => {
                let block = held.swap_remove(random.below(held.len()));
                held.extend(swap(&table[random.below(TABLE)], Some(block)));
            }
            _ if !held.is_empty() => held.swap_remove(random.below(held.len())).give(),
            _ => {}
        }
    }
    held.into_iter().for_each(Block::give);
}

fn stress(arena: &'static Arena, disturb: impl Fn(&mut Random)) {
    let Arena { pool, table, is_done, requests } = arena;
    let seconds = env::var("STRESS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
    // Starts the pools, so that no thread's request comes during start-up.
    Block::take(pool, layout(1, 1), 0).give();
    let threads = (1..=THREADS as u64).map(|seed| {
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        thread::spawn(move || work(arena, random, usize::MAX))
    });
    let threads: Vec<_> = threads.collect();
    let mut random = Random(42);
    for _ in 0..seconds * 100 {
        thread::sleep(Duration::from_millis(10));
        disturb(&mut random);
    }
    is_done.store(true, Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for place in table {
        swap(place, None).into_iter().for_each(Block::give);
    }
    pool.check_invariants();
    let (stats, requests) = (pool.stats(), requests.load(Relaxed));
    assert!(requests > 1_000 && stats.total_allocs() > requests, "{stats}");
    for class in Class::ALL {
        let class_stats = stats.class(class);
        assert_eq!((class_stats.in_use, class_stats.hits), (0, class_stats.returns), "{class}");
        assert!(
            class_stats.misses > 0 && class_stats.peak <= class_stats.slots,
            "{class} never ran dry: {stats}"
        );
        // No slot is missing.
        let whole = layout(CONFIG.slot_bytes(class), 8);
        let all: Vec<_> = (0..class_stats.slots).map(|id| Block::take(pool, whole, id)).collect();
        assert!(all.iter().all(|block| pool.owns(block.start)), "{class}");
        all.into_iter().for_each(Block::give);
    }
}

#[test]
fn no_slot_ever_has_two_owners_and_none_is_lost() {
    static ARENA: Arena = Arena::new(CONFIG);
    stress(&ARENA, |_| {});
}

#[test]
fn nor_while_slots_are_trimmed_statistics_read_and_threads_come_and_go() {
    static ARENA: Arena = Arena::new(CONFIG.hardened(true));
    stress(&ARENA, |random| match random.below(3) {
        0 => _ = ARENA.pool.trim(),
        1 => {
            let seed = random.0;
            thread::spawn(move || work(&ARENA, Random(seed), 200)).join().unwrap();
        }
        _ => {
            let stats = ARENA.pool.stats();
            assert!(
                Class::ALL.into_iter().all(|class| stats.class(class).in_use <= stats.class(class).slots)
            );
        }
    });
}
