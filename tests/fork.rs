//! P9: the child of a threaded `fork` has all of the pools, and the slots that the parent's other threads had
//! cached.
//!
//! There is no `#[global_allocator]` here. A thread has magazines with the first allocator that it uses,
//! which must be the one under test.

#![cfg(unix)]

mod common;
#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
#[path = "common/kernel.rs"]
mod kernel;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use common::{Block, child, in_forked_child, run_to_success, use_every_class, whole};
#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
use framepool::SlotState;
use framepool::{Class, Config, PoolAlloc};

/// Forks and plays `child` in the child with `both_have`. Returns `both_have` to the parent. Panics if the
/// child panicked or hung.
fn in_a_child<T>(both_have: T, child: impl FnOnce(T)) -> T {
    let both_have = Cell::new(Some(both_have));
    in_forked_child(|| child(both_have.take().unwrap())).unwrap();
    both_have.into_inner().unwrap()
}

/// Threads that each do `work`, and then stay until they are let go.
struct Crowd {
    threads: Vec<thread::JoinHandle<()>>,
    done: Arc<Barrier>,
}

impl Crowd {
    /// Starts the threads. Returns when all have done their work.
    fn new(threads: usize, work: fn(u64)) -> Self {
        let (worked, done) = (Arc::new(Barrier::new(threads + 1)), Arc::new(Barrier::new(threads + 1)));
        let start = |id| {
            let (worked, done) = (worked.clone(), done.clone());
            let body = move || {
                work(id);
                worked.wait();
                done.wait();
            };
            thread::Builder::new().stack_size(128 << 10).spawn(body).unwrap()
        };
        let threads = (0..threads as u64).map(start).collect();
        worked.wait();
        Self { threads, done }
    }

    fn let_go(self) {
        self.done.wait();
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn the_child_of_a_fork_among_busy_threads_has_all_classes_and_frees_the_blocks_of_its_parent() {
    fork_among_busy_threads(60);
}

/// Repeats the test above with 10,000 forks, for `tests/long.sh`.
#[test]
#[ignore = "takes minutes"]
fn so_do_ten_thousand_children() {
    fork_among_busy_threads(10_000);
}

fn fork_among_busy_threads(forks: u64) {
    const THREADS: usize = 8;
    const CACHED: [usize; 4] = [32, 4, 2, 2];
    const CONFIG: Config = Config::new()
        .magazine(Class::Small, CACHED[0])
        .magazine(Class::Medium, CACHED[1])
        .magazine(Class::Large, CACHED[2])
        .magazine(Class::XLarge, CACHED[3]);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    static DONE: AtomicBool = AtomicBool::new(false);

    let play_child = |inherited: [Block<'static, PoolAlloc>; 4], id: u64| {
        inherited.into_iter().for_each(Block::give);
        use_every_class(&POOL, id);
        let class = Class::ALL[id as usize % 4];
        // Each thread that is gone keeps back at most one slot. If it was inside the allocator, it also keeps
        // back those that it had cached.
        let slots = POOL.stats().class(class).slots - (THREADS * (1 + CACHED[class as usize])) as u64;
        let blocks: Vec<_> = (0..slots).map(|id| Block::take(&POOL, whole(class), id)).collect();
        assert!(blocks.iter().all(|block| POOL.owns(block.start)), "{class}");
        blocks.into_iter().for_each(Block::give);
    };
    use_every_class(&POOL, 0);
    let busy: Vec<_> = (0..THREADS as u64)
        .map(|thread| {
            thread::spawn(move || {
                let mut classes = Class::ALL.into_iter().cycle();
                while !DONE.load(SeqCst) {
                    Block::take(&POOL, whole(classes.next().unwrap()), thread).give();
                }
            })
        })
        .collect();
    for id in 0..forks {
        let inherited = Class::ALL.map(|class| Block::take(&POOL, whole(class), id));
        let inherited = in_a_child(inherited, |inherited| play_child(inherited, id));
        inherited.into_iter().for_each(Block::give);
    }
    DONE.store(true, SeqCst);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    POOL.check_invariants();
    let stats = POOL.stats();
    assert!(Class::ALL.iter().all(|&class| stats.class(class).in_use == 0));
    assert_eq!((stats.hits(), stats.fallbacks()), (stats.returns(), 0));
}

#[test]
fn the_child_of_a_fork_has_what_the_threads_that_are_gone_had_cached_and_their_places() {
    static POOL: PoolAlloc = PoolAlloc::new();

    if common::case().is_none() {
        let test = the_child_of_a_fork_has_what_the_threads_that_are_gone_had_cached_and_their_places;
        return run_to_success(child(test, "fork"));
    }
    // All places are taken by then, so the child's thread gets its place in the child. Several requests may
    // miss, while other threads reclaim slots.
    let crowd = Crowd::new(300, |id| {
        Class::ALL.into_iter().for_each(|class| Block::take(&POOL, whole(class), id).give());
    });
    let before = POOL.stats();
    in_a_child((), |()| {
        for class in Class::ALL {
            let slots = before.class(class).slots;
            let blocks: Vec<_> = (0..slots).map(|id| Block::take(&POOL, whole(class), id)).collect();
            assert!(blocks.iter().all(|block| POOL.owns(block.start)), "{class}");
            blocks.into_iter().for_each(Block::give);
        }
        // These threads have places of their own again: a thread without a place caches nothing.
        let cached = (0..100_u64).map(|id| thread::spawn(move || use_every_class(&POOL, id)));
        cached.for_each(|thread| thread.join().unwrap());
        assert_eq!(POOL.stats().since(&before).fallbacks(), 0);
    });
    crowd.let_go();
}

/// qemu-user reports success for `MADV_WIPEONFORK`, and wipes nothing.
#[test]
#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
fn the_child_of_a_fork_has_their_places_where_the_kernel_only_says_that_it_wipes_memory() {
    static POOL: PoolAlloc = PoolAlloc::new();

    if common::case().is_none() {
        let test = the_child_of_a_fork_has_their_places_where_the_kernel_only_says_that_it_wipes_memory;
        return run_to_success(child(test, "fork"));
    }
    kernel::inject_failure(libc::SYS_madvise, Some((2, libc::MADV_WIPEONFORK as u32)), 0);
    // Reserves the pools: a thread that starts while that goes on gets no place.
    Block::take(&POOL, whole(Class::Small), 0).give();
    let crowd = Crowd::new(300, |id| Block::take(&POOL, whole(Class::Small), id).give());
    in_a_child((), |()| {
        let is_cached = || {
            Block::take(&POOL, whole(Class::Small), 7).give();
            let mut states = [SlotState::Free; 1024];
            POOL.slot_states(Class::Small, &mut states);
            states.contains(&SlotState::Cached)
        };
        // From here on only threads of this process can have cached slots.
        POOL.trim();
        assert!(thread::spawn(is_cached).join().unwrap(), "a thread of the child has no place");
    });
    crowd.let_go();
}

#[test]
fn a_thread_in_the_child_of_a_fork_loses_nothing_that_the_last_owner_of_its_place_had_cached() {
    static POOL: PoolAlloc = PoolAlloc::new();
    static CACHED: Barrier = Barrier::new(2);
    static DONE: Barrier = Barrier::new(2);

    if common::case().is_none() {
        let test = a_thread_in_the_child_of_a_fork_loses_nothing_that_the_last_owner_of_its_place_had_cached;
        return run_to_success(child(test, "fork"));
    }
    let take = |slots| (0..slots).map(|id| Block::take(&POOL, whole(Class::XLarge), id)).collect::<Vec<_>>();
    let thread = thread::spawn(move || {
        // Its magazine grows to many times the size at which the next owner's starts.
        for _ in 0..8 {
            take(16).into_iter().for_each(Block::give);
        }
        CACHED.wait();
        DONE.wait();
    });
    CACHED.wait();
    in_a_child((), |()| {
        thread::spawn(move || take(1).into_iter().for_each(Block::give)).join().unwrap();
        let blocks = take(64);
        assert!(blocks.iter().all(|block| POOL.owns(block.start)));
        blocks.into_iter().for_each(Block::give);
    });
    DONE.wait();
    thread.join().unwrap();
}

/// A thread that the child starts asks for a place before the thread that forked takes any slow path.
#[test]
fn threads_of_a_child_do_not_get_the_place_of_the_thread_that_forked() {
    static POOL: PoolAlloc = PoolAlloc::new();

    fn churn(first: u64) {
        for id in first..first + 200_000 {
            Block::take(&POOL, whole(Class::Small), id).give();
        }
    }

    if common::case().is_none() {
        let test = threads_of_a_child_do_not_get_the_place_of_the_thread_that_forked;
        return run_to_success(child(test, "forks"));
    }
    churn(0);
    in_a_child((), |()| {
        let other = thread::spawn(|| churn(1 << 32));
        churn(1 << 33);
        other.join().unwrap();
    });
}

/// The thread that forked only waits, and does nothing with the allocator.
#[test]
fn a_thread_of_a_child_takes_what_the_threads_that_are_gone_had_cached() {
    static POOL: PoolAlloc = PoolAlloc::new();

    if common::case().is_none() {
        let test = a_thread_of_a_child_takes_what_the_threads_that_are_gone_had_cached;
        return run_to_success(child(test, "forks"));
    }
    let bursts = || {
        for _ in 0..40 {
            let blocks: Vec<_> = (0..16).map(|id| Block::take(&POOL, whole(Class::XLarge), id)).collect();
            blocks.into_iter().for_each(Block::give);
        }
    };
    let (cached, done) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            bursts();
            cached.wait();
            done.wait();
        });
        cached.wait();
        in_a_child((), |()| {
            let takes = || {
                let blocks: Vec<_> = (0..64).map(|id| Block::take(&POOL, whole(Class::XLarge), id)).collect();
                assert!(blocks.iter().all(|block| POOL.owns(block.start)));
            };
            thread::spawn(takes).join().unwrap();
        });
        done.wait();
    });
}
