//! P9: the pools work at any time of a process's and a thread's life, and their counts stay exact through all
//! of it.
//!
//! There is no `#[global_allocator]` here. A thread has counters of its own with the first allocator that it
//! uses, which must be the one under test.

#![cfg(unix)]

mod common;

use std::alloc::GlobalAlloc;
use std::ffi::c_void;
use std::ptr::{null_mut, without_provenance};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use common::{Block, child, run, run_to_success, use_every_class, whole};
use framepool::{Class, PoolAlloc, Reservation};

/// Panics unless the counts are exact after `rounds` of [`use_every_class`]. No thread may be inside the
/// pools.
fn assert_exact(pool: &PoolAlloc, rounds: u64) {
    assert_exact_with(pool, rounds, 0);
}

/// Panics unless the counts are exact after `rounds` of [`use_every_class`], and `pairs` of an allocation and
/// a free of a whole slot in each class.
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

    /// A function that the C library calls before it calls `main`, and before Rust's runtime is set up.
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
        // Registered before the first use, so that it runs after any handler that the pools would register.
        // SAFETY: a function that does not unwind: a panic in it aborts.
        assert_eq!(unsafe { libc::atexit(allocate) }, 0);
        return use_every_class(&POOL, 1);
    }
    let output = run(child(the_pools_serve_at_exit, "exit"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("served at exit"), "{output:?}");
}

/// The thread allocates in destructors that run after the allocator's own, which gave its counters to the
/// next thread.
#[test]
fn a_thread_allocates_in_its_last_destructors_while_its_successor_counts() {
    const DESTRUCTIONS: usize = 3;
    const ROUNDS: u64 = 2_000;
    static POOL: PoolAlloc = PoolAlloc::new();
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    static DESTROYED: AtomicUsize = AtomicUsize::new(0);
    static SUCCEEDED: AtomicBool = AtomicBool::new(false);

    /// Uses every class and sets the key again, for which the C library calls it again. It runs after the
    /// allocator's destructor, whose key is older.
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
    // SAFETY: room for the key, and a destructor that does not unwind: a panic in it aborts.
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
        // SAFETY: a handler that does only what the pools allow in a handler.
        assert_eq!(unsafe { libc::sigaction(signal, &action, null_mut()) }, 0);
    }
    use_every_class(&POOL, 0);
    // SAFETY: a query that takes no pointer.
    let this_thread = unsafe { libc::pthread_self() } as usize;
    let sender = thread::spawn(move || {
        // On a busy machine each signal takes a while.
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut sent = 0;
        while sent < INTERRUPTIONS && Instant::now() < deadline {
            sent += 1;
            // SAFETY: that thread lives until it has joined this one.
            assert_eq!(unsafe { libc::pthread_kill(this_thread as _, SIGNALS[sent as usize % 2]) }, 0);
            // Every 16th signal interrupts the other handler if it can. Otherwise the thread goes on first: a
            // signal sent at once would find it where the last one did.
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

/// The counts are those of class Small, which has slots for all threads.
#[test]
fn more_threads_than_places_and_thousands_after_each_other_lose_no_count() {
    const CROWD: usize = 300;
    const SUCCESSION: usize = 10_000;
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
        // A request may miss while another thread reclaims cached slots.
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
    // Reserves the pools, so that the first threads find them ready.
    Block::take(&POOL, whole(Class::Large), 0).give();
    thread::scope(|scope| _ = [scope.spawn(succession), scope.spawn(succession)]);
    assert_exact(SUCCESSION);
    let crowd: Vec<_> = (0..CROWD).map(|_| spawn(Some(&ALL_ALIVE))).collect();
    crowd.into_iter().for_each(|thread| thread.join().unwrap());
    assert_exact(SUCCESSION + CROWD);
}

/// Each destructor uses the next thread-local for the first time. So the destructors run one after the other,
/// long after the allocator's own.
#[test]
fn three_nested_destructors_of_thread_locals_allocate_and_free() {
    const THREADS: u64 = 50;
    static POOL: PoolAlloc = PoolAlloc::new();
    static DESTROYED: AtomicU64 = AtomicU64::new(0);

    /// Uses every class when it is dropped, and then calls its function, which may use the next thread-local.
    struct Destroyed(fn());
    impl Drop for Destroyed {
        fn drop(&mut self) {
            use_every_class(&POOL, DESTROYED.fetch_add(1, SeqCst));
            (self.0)();
        }
    }
    thread_local! {
        static FIRST: Destroyed = const { Destroyed(|| SECOND.with(|_| ())) };
        static SECOND: Destroyed = const { Destroyed(|| THIRD.with(|_| ())) };
        static THIRD: Destroyed = const { Destroyed(|| ()) };
    }
    // Starts the pools here, not among threads that race to start them.
    use_every_class(&POOL, 0);
    for id in 0..THREADS {
        thread::spawn(move || FIRST.with(|_| use_every_class(&POOL, id))).join().unwrap();
    }
    assert_eq!(DESTROYED.load(SeqCst), 3 * THREADS);
    assert_exact(&POOL, 1 + 4 * THREADS);
}

/// A timer interrupts any thread that the system picks, at any instruction.
#[test]
#[cfg(target_os = "linux")]
fn a_handler_that_a_timer_calls_a_thousand_times_a_second_allocates() {
    const THREADS: u64 = 4;
    static POOL: PoolAlloc = PoolAlloc::new();
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    static DONE: AtomicBool = AtomicBool::new(false);

    extern "C" fn handler(_: libc::c_int) {
        use_every_class(&POOL, 77);
        HANDLED.fetch_add(1, SeqCst);
    }

    if common::case().is_none() {
        let test = a_handler_that_a_timer_calls_a_thousand_times_a_second_allocates;
        return run_to_success(child(test, "timer"));
    }
    let mut rounds: u64 = 1;
    use_every_class(&POOL, 0);
    // SAFETY: all zeros is a valid action, which blocks no other signal.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = libc::SA_RESTART;
    let millisecond = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
    let timer = libc::itimerval { it_interval: millisecond, it_value: millisecond };
    // SAFETY: a handler that does only what the pools allow in a handler, and a valid timer.
    unsafe {
        assert_eq!(libc::sigaction(libc::SIGALRM, &action, null_mut()), 0);
        assert_eq!(libc::setitimer(libc::ITIMER_REAL, &timer, null_mut()), 0);
    }
    thread::scope(|scope| {
        let busy = [(); THREADS as usize].map(|()| {
            scope.spawn(|| {
                let mut rounds = 0;
                while !DONE.load(SeqCst) {
                    use_every_class(&POOL, rounds);
                    rounds += 1;
                }
                rounds
            })
        });
        let deadline = Instant::now() + common::patience(Duration::from_secs(20));
        while HANDLED.load(SeqCst) < 1_500 && Instant::now() < deadline {
            use_every_class(&POOL, 1);
            rounds += 1;
        }
        DONE.store(true, SeqCst);
        rounds += busy.map(|busy| busy.join().unwrap()).iter().sum::<u64>();
    });
    let never = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, ..timer };
    let never = libc::itimerval { it_value: never.it_interval, ..never };
    // SAFETY: a valid timer, switched off.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &never, null_mut()) }, 0);
    let rounds = || rounds + HANDLED.load(SeqCst);
    // The last handler may still be at work, on a thread of the test harness.
    let deadline = Instant::now() + common::patience(Duration::from_secs(20));
    while POOL.stats().returns() != 8 * rounds() && Instant::now() < deadline {
        thread::yield_now();
    }
    assert!(HANDLED.load(SeqCst) >= 1_500, "{} calls", HANDLED.load(SeqCst));
    assert_exact(&POOL, rounds());
}
