//! P9: the pools work at any time of a process's and a thread's life, and their counts stay exact through all of it.
//!
//! No `#[global_allocator]` here: a thread has counters of its own with the first allocator that it uses, and that
//! shall be the one under test.

#![cfg(unix)]

mod common;

use std::alloc::GlobalAlloc;
use std::ffi::c_void;
use std::ptr::{null_mut, without_provenance};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use common::{Block, child, run, run_to_success, whole};
use framepool::{Class, PoolAlloc, Reservation};

/// Two blocks of each class at once, one of them resized in place: 8 hits and 4 reallocations.
fn use_every_class(pool: &'static PoolAlloc, id: u64) {
    for class in Class::ALL {
        let kept = Block::take(pool, whole(class), id);
        let resized = Block::take(pool, whole(class), id + 1).resize(whole(class).size() - 1);
        assert!(pool.owns(kept.start) && pool.owns(resized.start));
        kept.give();
        resized.give();
    }
}

/// Holds once nobody is inside the pool, and all that was ever done is `rounds` of [`use_every_class`].
fn assert_exact(pool: &PoolAlloc, rounds: u64) {
    assert_exact_with(pool, rounds, 0);
}

/// The same, and `pairs` of an allocation and a free of a whole slot in each class.
fn assert_exact_with(pool: &PoolAlloc, rounds: u64, pairs: u64) {
    let stats = pool.stats();
    for class in Class::ALL {
        let (sums, hits) = (stats.class(class), 2 * rounds + pairs);
        let bytes = whole(class).size() as u64;
        assert_eq!((sums.hits, sums.returns, sums.in_use), (hits, hits, 0), "{class}");
        assert_eq!(sums.reallocs_in_place, rounds, "{class}");
        assert_eq!(sums.requested_bytes, rounds * (3 * bytes - 1) + pairs * bytes, "{class}");
    }
    assert_eq!(stats.fallbacks(), 0);
}

mod before_main {
    use super::*;

    static POOL: PoolAlloc = PoolAlloc::new();
    static SERVED: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn allocate() {
        let blocks = Class::ALL.map(|class| Block::take(&POOL, whole(class), 7));
        SERVED.store(blocks.iter().filter(|block| POOL.owns(block.start)).count(), SeqCst);
        blocks.into_iter().for_each(Block::give);
    }

    /// The C library calls what is listed here before it calls `main`, and before Rust's runtime is set up.
    #[used]
    #[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
    #[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
    static BEFORE_MAIN: extern "C" fn() = allocate;

    #[test]
    fn the_pools_serve_before_main() {
        assert_eq!(SERVED.load(SeqCst), 4);
        assert_eq!((POOL.stats().hits(), POOL.stats().returns()), (4, 4));
        assert_eq!(POOL.stats().reservation(), Reservation::Ready);
    }
}

#[test]
fn the_pools_serve_at_exit() {
    static POOL: PoolAlloc = PoolAlloc::new();
    extern "C" fn allocate() {
        use_every_class(&POOL, 1);
        assert_exact(&POOL, 2);
        println!("served at exit");
    }
    if common::case().is_some() {
        // Before the first use, so that it runs after whatever the pools would register.
        // SAFETY: a function that does not unwind: what panics in it aborts.
        assert_eq!(unsafe { libc::atexit(allocate) }, 0);
        return use_every_class(&POOL, 1);
    }
    let output = run(child(the_pools_serve_at_exit, "exit"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("served at exit"), "{output:?}");
}

/// The thread allocates in destructors that run after the allocator's own, which gave its counters to the next thread.
#[test]
fn a_thread_allocates_in_its_last_destructors_while_its_successor_counts() {
    const DESTRUCTIONS: usize = 3;
    const ROUNDS: u64 = 2_000;
    static POOL: PoolAlloc = PoolAlloc::new();
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    static DESTROYED: AtomicUsize = AtomicUsize::new(0);
    static SUCCEEDED: AtomicBool = AtomicBool::new(false);

    /// The C library calls it again whenever it sets the key, and after the allocator's, whose key is older.
    extern "C" fn destructor(destructions_left: *mut c_void) {
        DESTROYED.fetch_add(1, SeqCst);
        while !SUCCEEDED.load(SeqCst) {
            thread::yield_now();
        }
        (0..ROUNDS).for_each(|id| use_every_class(&POOL, id));
        set_key(destructions_left.addr() - 1);
    }

    fn set_key(destructions_left: usize) {
        let value = without_provenance::<c_void>(destructions_left);
        // SAFETY: the key was created, and its values are plain numbers.
        assert_eq!(unsafe { libc::pthread_setspecific(*KEY.get().unwrap(), value) }, 0);
    }

    struct AllocatesInDrop;
    impl Drop for AllocatesInDrop {
        fn drop(&mut self) {
            use_every_class(&POOL, 1);
        }
    }
    thread_local!(static LOCAL: AllocatesInDrop = const { AllocatesInDrop });

    use_every_class(&POOL, 0);
    let mut key = 0;
    // SAFETY: a place for the key, and a destructor that does not unwind: what panics in it aborts.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destructor)) }, 0);
    KEY.set(key).unwrap();

    let dying = thread::spawn(|| {
        set_key(DESTRUCTIONS);
        LOCAL.with(|_| use_every_class(&POOL, 2));
    });
    while DESTROYED.load(SeqCst) == 0 {
        thread::yield_now();
    }
    let successor = thread::spawn(|| {
        SUCCEEDED.store(true, SeqCst);
        let mut rounds = 0;
        while DESTROYED.load(SeqCst) < DESTRUCTIONS || rounds < ROUNDS {
            use_every_class(&POOL, 3);
            rounds += 1;
        }
        rounds
    });
    // Joining waits for the destructors too.
    dying.join().unwrap();
    let rounds = 3 + ROUNDS * DESTRUCTIONS as u64 + successor.join().unwrap();
    assert_exact(&POOL, rounds);
}

#[test]
fn the_child_of_a_fork_among_busy_threads_has_all_classes_and_frees_the_blocks_of_its_parent() {
    const THREADS: usize = 4;
    const FORKS: u64 = 200;
    static POOL: PoolAlloc = PoolAlloc::new();
    static DONE: AtomicBool = AtomicBool::new(false);

    let play_child = |inherited: [Block<'static, PoolAlloc>; 4], id: u64| {
        inherited.into_iter().for_each(Block::give);
        use_every_class(&POOL, id);
        let class = Class::ALL[id as usize % 4];
        // Each thread that is gone took one slot with it at most, and those that it had cached if it was inside the allocator.
        let cached = [32, 4, 2, 2][class as usize];
        let slots = POOL.stats().class(class).slots - THREADS as u64 * (1 + cached);
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
    for id in 0..FORKS {
        let inherited = Class::ALL.map(|class| Block::take(&POOL, whole(class), id));
        // SAFETY: the child uses the pools and, through the C library, `malloc`, which both work there.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: a child that hangs shall die of it.
                unsafe { libc::alarm(20) };
                let outcome =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play_child(inherited, id)));
                // SAFETY: ends the child without running what belongs to its parent.
                unsafe { libc::_exit(outcome.is_err().into()) }
            }
            child => {
                let mut status = 0;
                // SAFETY: a child of this process, and a place for its status.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                assert_eq!(status, 0, "fork {id}");
                inherited.into_iter().for_each(Block::give);
            }
        }
    }
    DONE.store(true, SeqCst);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    let stats = POOL.stats();
    assert!(Class::ALL.iter().all(|&class| stats.class(class).in_use == 0));
    assert_eq!((stats.hits(), stats.fallbacks()), (stats.returns(), 0));
}

#[test]
fn the_child_of_a_fork_has_what_the_threads_that_are_gone_had_cached_and_their_places() {
    const THREADS: usize = 300;
    static POOL: PoolAlloc = PoolAlloc::new();
    static CACHED: Barrier = Barrier::new(THREADS + 1);
    static DONE: Barrier = Barrier::new(THREADS + 1);

    if common::case().is_none() {
        let test = the_child_of_a_fork_has_what_the_threads_that_are_gone_had_cached_and_their_places;
        return run_to_success(child(test, "fork"));
    }
    // The child's thread gets its place there: all are taken by then.
    let threads: Vec<_> = (0..THREADS as u64)
        .map(|id| {
            let work = move || {
                // Some misses, while others call slots in.
                Class::ALL.into_iter().for_each(|class| Block::take(&POOL, whole(class), id).give());
                CACHED.wait();
                DONE.wait();
            };
            thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap()
        })
        .collect();
    CACHED.wait();
    // SAFETY: the child uses the pools and, through the C library, `malloc`, which both work there.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let before = POOL.stats();
        let outcome = std::panic::catch_unwind(|| {
            for class in Class::ALL {
                let slots = before.class(class).slots;
                let blocks: Vec<_> = (0..slots).map(|id| Block::take(&POOL, whole(class), id)).collect();
                assert!(blocks.iter().all(|block| POOL.owns(block.start)), "{class}");
                blocks.into_iter().for_each(Block::give);
            }
            // Threads that have places of their own again, which only who has one caches in.
            let cached = (0..100_u64).map(|id| thread::spawn(move || use_every_class(&POOL, id)));
            cached.for_each(|thread| thread.join().unwrap());
            assert_eq!(POOL.stats().since(&before).fallbacks(), 0);
        });
        // SAFETY: ends the child without running what belongs to its parent.
        unsafe { libc::_exit(outcome.is_err().into()) }
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    DONE.wait();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
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
        // Its magazine grows to many times what the next owner's starts with.
        for _ in 0..8 {
            take(16).into_iter().for_each(Block::give);
        }
        CACHED.wait();
        DONE.wait();
    });
    CACHED.wait();
    // SAFETY: the child uses the pools and, through the C library, `malloc`, which both work there.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let outcome = std::panic::catch_unwind(|| {
            thread::spawn(move || take(1).into_iter().for_each(Block::give)).join().unwrap();
            let blocks = take(64);
            assert!(blocks.iter().all(|block| POOL.owns(block.start)));
            blocks.into_iter().for_each(Block::give);
        });
        // SAFETY: ends the child without running what belongs to its parent.
        unsafe { libc::_exit(outcome.is_err().into()) }
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    DONE.wait();
    thread.join().unwrap();
}

#[test]
fn signal_handlers_that_interrupt_the_allocator_and_each_other_allocate_and_are_counted() {
    const INTERRUPTIONS: u64 = 5_000;
    static POOL: PoolAlloc = PoolAlloc::new();
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    static DONE: AtomicBool = AtomicBool::new(false);
    const SIGNALS: [libc::c_int; 2] = [libc::SIGUSR1, libc::SIGUSR2];

    extern "C" fn handler(signal: libc::c_int) {
        use_every_class(&POOL, signal as u64);
        HANDLED.fetch_add(1, SeqCst);
    }

    if common::case().is_none() {
        let test = signal_handlers_that_interrupt_the_allocator_and_each_other_allocate_and_are_counted;
        return run_to_success(child(test, "signals"));
    }
    for signal in SIGNALS {
        // SAFETY: all zeros is a valid action, which blocks no other signal.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: a handler that does only what the pools promise to be fit for.
        assert_eq!(unsafe { libc::sigaction(signal, &action, null_mut()) }, 0);
    }
    use_every_class(&POOL, 0);
    // SAFETY: a plain question.
    let this_thread = unsafe { libc::pthread_self() };
    let sender = thread::spawn(move || {
        // On a busy machine each of them takes a while.
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut sent = 0;
        while sent < INTERRUPTIONS && Instant::now() < deadline {
            sent += 1;
            // SAFETY: that thread lives until it has joined this one.
            assert_eq!(unsafe { libc::pthread_kill(this_thread, SIGNALS[sent as usize % 2]) }, 0);
            // Interrupts the other handler now and then, but lets the thread get on: a signal sent at once would find it
            // where the last one did.
            while HANDLED.load(SeqCst) + u64::from(sent % 16 == 0) < sent {
                thread::yield_now();
            }
            (0..sent % 509).for_each(|_| std::hint::spin_loop());
        }
        while HANDLED.load(SeqCst) < sent {
            thread::yield_now();
        }
        DONE.store(true, SeqCst);
        sent
    });
    let mut pairs = 0;
    while !DONE.load(SeqCst) {
        for class in Class::ALL {
            // SAFETY: not empty; freed once, as it was allocated.
            unsafe { POOL.dealloc(POOL.alloc(whole(class)), whole(class)) };
        }
        pairs += 1;
    }
    let interruptions = sender.join().unwrap();
    assert_exact_with(&POOL, 1 + interruptions, pairs);
}

/// Counts of `POOL`'s class Small, which has slots for all of them.
#[test]
fn more_threads_than_places_and_thousands_after_each_other_lose_no_count() {
    const CROWD: usize = 300;
    const SUCCESSION: usize = 2_000;
    const ROUNDS: u64 = 50;
    static POOL: PoolAlloc = PoolAlloc::new();
    static ALL_ALIVE: Barrier = Barrier::new(CROWD);

    fn spawn(all_alive: Option<&'static Barrier>) -> thread::JoinHandle<()> {
        let work = move || {
            for id in 0..ROUNDS {
                Block::take(&POOL, whole(Class::Small), id).resize(1_000).give();
                if let (0, Some(all_alive)) = (id, all_alive) {
                    all_alive.wait();
                }
            }
            if let Some(all_alive) = all_alive {
                all_alive.wait();
            }
        };
        thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap()
    }
    if common::case().is_none() {
        let test = more_threads_than_places_and_thousands_after_each_other_lose_no_count;
        return run_to_success(child(test, "threads"));
    }
    let assert_exact = |threads: usize| {
        let (stats, rounds) = (POOL.stats(), threads as u64 * ROUNDS);
        let small = stats.class(Class::Small);
        // A miss is no mistake while another thread is calling in what the others have cached.
        let hits = rounds - small.misses;
        assert!(small.misses * 100 < rounds, "{stats}");
        assert_eq!((small.hits, small.returns, small.in_use), (hits, hits, 0));
        assert_eq!((small.reallocs_in_place, small.requested_bytes), (hits, 2_024 * hits));
    };

    let succession = || {
        for _ in 0..SUCCESSION / 2 {
            spawn(None).join().unwrap();
        }
    };
    // The first threads shall not find the pools on their way up.
    Block::take(&POOL, whole(Class::Large), 0).give();
    thread::scope(|scope| _ = [scope.spawn(succession), scope.spawn(succession)]);
    assert_exact(SUCCESSION);
    let crowd: Vec<_> = (0..CROWD).map(|_| spawn(Some(&ALL_ALIVE))).collect();
    crowd.into_iter().for_each(|thread| thread.join().unwrap());
    assert_exact(SUCCESSION + CROWD);
}
