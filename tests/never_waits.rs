//! P2: a hit makes no system call, and no thread ever waits for another thread, wherever that one is stopped.
//! Start-up is no exception.

#![cfg(unix)]

mod common;

use std::alloc::GlobalAlloc;
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use common::{Block, Random, child, layout, run_to_success, whole};
use framepool::{Bypass, Class, Config, PoolAlloc};

#[cfg(target_os = "linux")]
mod no_system_call {
    use super::*;

    const HITS: u64 = 100_000;
    /// The minimum size for each class: a byte more than a slot of the class below.
    const MIN: [usize; 4] = [1, 1_025, (64 << 10) + 1, (256 << 10) + 1];

    /// Runs `work` in a forked process, and returns its wait status. The kernel kills the process for any
    /// system call but `read`, `write` and its own `exit`.
    fn run_caged(work: impl Fn() -> bool) -> libc::c_int {
        // SAFETY: the child does what follows and nothing else, which needs none of its parent's other
        // threads.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: a plain request.
                let failed = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
                let code = if failed != 0 { 2 } else { i32::from(!work()) };
                // SAFETY: ends the only thread of this process; `_exit` would make a call that is not
                // allowed.
                unsafe { libc::syscall(libc::SYS_exit, code) };
                unreachable!("the process is over")
            }
            child => {
                let mut status = 0;
                // SAFETY: a child of this process, and a place for its status.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                status
            }
        }
    }

    #[test]
    fn hits_frees_zeroing_reallocs_and_statistics_make_none() {
        static POOL: PoolAlloc = PoolAlloc::new();
        Block::take(&POOL, whole(Class::Small), 0).give();
        let before = POOL.stats();
        let status = run_caged(|| {
            for id in 0..HITS {
                let least = MIN[id as usize % 4];
                let block = Block::take(&POOL, layout(least, 1), id).resize(least + least / 2);
                // For 4 blocks of 100 only, because these steps write a whole block.
                if id % 100 < 4 {
                    // SAFETY: not empty; freed once, as it was allocated.
                    unsafe {
                        let zeroed = POOL.alloc_zeroed(block.layout);
                        assert!((0..block.layout.size()).step_by(61).all(|at| zeroed.add(at).read() == 0));
                        POOL.dealloc(zeroed, block.layout);
                    }
                    block.resize(1 << 20).resize(300).give();
                } else {
                    block.give();
                }
            }
            let stats = POOL.stats().since(&before);
            stats.hits() == stats.returns() && stats.hits() >= HITS && stats.fallbacks() == 0
        });
        assert_eq!(status, 0, "a system call if SIGKILL (9), wrong counts if 256, no seccomp if 512");
    }

    /// Exhausts a class, which turns set-only. From then on it makes no system call, whether it stays
    /// exhausted or gets one slot back for each that is taken. The fallback serves the misses from memory
    /// that it already has.
    #[test]
    fn sustained_exhaustion_makes_none_not_with_one_give_per_take_either() {
        static POOL: PoolAlloc = PoolAlloc::new();
        let small = whole(Class::Small);
        let miss = || {
            let block = Block::take(&POOL, small, 1);
            let is_miss = !POOL.owns(block.start);
            block.give();
            is_miss
        };
        let mut held: Vec<_> = (0..1024).map(|id| Block::take(&POOL, small, id)).collect();
        assert!(held.iter().all(|block| POOL.owns(block.start)) && miss());
        let before = POOL.stats();
        // `run_caged` takes an `Fn`, which has a shared reference only.
        let held = std::cell::RefCell::new(&mut held);
        let status = run_caged(|| {
            let mut all = (0..HITS).all(|_| miss());
            for id in 0..HITS {
                let mut held = held.borrow_mut();
                held.swap_remove(id as usize % 1024).give();
                let block = Block::take(&POOL, small, id);
                all &= POOL.owns(block.start) && miss();
                held.push(block);
            }
            let stats = POOL.stats().since(&before);
            all && (stats.misses(), stats.hits(), stats.returns()) == (2 * HITS, HITS, HITS)
        });
        assert_eq!(status, 0, "a system call if SIGKILL (9), wrong counts if 256, no seccomp if 512");
        held.into_inner().drain(..).for_each(Block::give);
    }

    #[test]
    fn the_cage_kills_for_one() {
        // SAFETY: the call has no preconditions.
        let status = run_caged(|| unsafe { libc::getppid() } > 0);
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "{status:#x}");
    }
}

#[test]
fn a_thread_stopped_anywhere_in_the_allocator_keeps_back_what_it_had_cached_at_most_and_stops_no_other() {
    const STOPS: u64 = 300;
    static POOL: PoolAlloc = PoolAlloc::new();
    static STOPPED: AtomicBool = AtomicBool::new(false);
    static DONE: AtomicBool = AtomicBool::new(false);
    /// Asks the thread to pause outside the allocator. `RESTS` is true while it does.
    static REST: AtomicBool = AtomicBool::new(false);
    static RESTS: AtomicBool = AtomicBool::new(false);

    extern "C" fn stop(_: libc::c_int) {
        STOPPED.store(true, SeqCst);
        while STOPPED.load(SeqCst) {
            thread::yield_now();
        }
    }

    /// Takes every slot of `class` that is available.
    fn take_all(class: Class) -> Vec<Block<'static, PoolAlloc>> {
        let mut blocks = vec![Block::take(&POOL, whole(class), 0)];
        while POOL.owns(blocks[blocks.len() - 1].start) {
            blocks.push(Block::take(&POOL, whole(class), blocks.len() as u64));
        }
        blocks.pop().unwrap().give();
        blocks
    }

    /// Takes every slot of `class` that is available, and gives them back. Returns the number of slots that
    /// were missing.
    fn take_and_give_all(class: Class) -> u64 {
        let blocks = take_all(class);
        let taken = blocks.len() as u64;
        blocks.into_iter().for_each(Block::give);
        POOL.stats().class(class).slots - taken
    }

    if common::case().is_none() {
        let test =
            a_thread_stopped_anywhere_in_the_allocator_keeps_back_what_it_had_cached_at_most_and_stops_no_other;
        return run_to_success(child(test, "stops"));
    }
    // SAFETY: all zeros is a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = stop as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler touches one atomic and yields.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, null_mut()) }, 0);
    // Starts the pools first, because another test stops threads in start-up.
    assert_eq!(take_and_give_all(Class::Small) + take_and_give_all(Class::XLarge), 0);
    let stopped = thread::spawn(|| {
        while !DONE.load(SeqCst) {
            for layout in [whole(Class::Small), whole(Class::XLarge)] {
                // SAFETY: not empty; freed once, as it was allocated.
                unsafe { POOL.dealloc(black_box(POOL.alloc(layout)), layout) };
            }
            while REST.load(SeqCst) {
                RESTS.store(true, SeqCst);
                thread::yield_now();
            }
            RESTS.store(false, SeqCst);
        }
    });
    let target = std::os::unix::thread::JoinHandleExt::as_pthread_t(&stopped);
    let mut random = Random(1);
    let mut none_missing = 0;
    for _ in 0..STOPS {
        (0..random.below(1 << 12)).for_each(|_| std::hint::spin_loop());
        // SAFETY: the thread lives until it is joined.
        assert_eq!(unsafe { libc::pthread_kill(target as _, libc::SIGUSR1) }, 0);
        while !STOPPED.load(SeqCst) {
            thread::yield_now();
        }
        let missing = [take_and_give_all(Class::Small), take_and_give_all(Class::XLarge)];
        // A thread that is stopped in a refill or a spill keeps back the slots that it was moving. Without
        // magazines it keeps back one.
        let at_most =
            if cfg!(all(target_os = "linux", not(framepool_os = "none"))) { [32, 3] } else { [1, 1] };
        assert!(missing[0] <= at_most[0] && missing[1] <= at_most[1], "{missing:?} slots are stuck");
        none_missing += u64::from(missing == [0, 0]);
        // Once the stopped thread is outside, this thread gets the slots that were kept back, while it holds
        // all the rest.
        let mut held = take_all(Class::XLarge);
        REST.store(true, SeqCst);
        STOPPED.store(false, SeqCst);
        while !RESTS.load(SeqCst) {
            thread::yield_now();
        }
        held.extend(take_all(Class::XLarge));
        assert_eq!(held.len() as u64, POOL.stats().class(Class::XLarge).slots);
        held.into_iter().for_each(Block::give);
        REST.store(false, SeqCst);
        while RESTS.load(SeqCst) {
            thread::yield_now();
        }
    }
    // A thread that is stopped outside keeps nothing back, however many slots it has cached. It is often
    // stopped there.
    assert!(cfg!(framepool_os = "none") || none_missing > STOPS / 20, "{none_missing} of {STOPS}");
    DONE.store(true, SeqCst);
    stopped.join().unwrap();
    assert_eq!(take_and_give_all(Class::Small) + take_and_give_all(Class::XLarge), 0);
}

#[cfg(any(framepool_os = "none", all(target_os = "linux", target_pointer_width = "64")))]
mod start_up {
    use std::alloc::{Layout, System};
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// The function that interrupts this thread's next start-up, as a signal handler would.
        static IN_THE_MIDDLE: Cell<Option<fn()>> = const { Cell::new(None) };
    }

    fn in_the_middle() {
        if let Some(interruption) = IN_THE_MIDDLE.take() {
            interruption();
        }
    }

    /// Replaces the C library's `mmap` in this binary, to interrupt start-up.
    #[cfg(not(framepool_os = "none"))]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn mmap(
        address: *mut libc::c_void,
        bytes: usize,
        protection: libc::c_int,
        flags: libc::c_int,
        file: libc::c_int,
        offset: libc::off_t,
    ) -> *mut libc::c_void {
        in_the_middle();
        // SAFETY: the caller's arguments, passed on.
        unsafe {
            libc::syscall(libc::SYS_mmap, address, bytes, protection, flags, file, offset)
                as *mut libc::c_void
        }
    }

    /// A fallback that interrupts start-up on systems without `mmap`, where start-up calls the fallback.
    struct Interrupted;

    // SAFETY: passes every call on to `System`, which keeps the contract.
    unsafe impl GlobalAlloc for Interrupted {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's contract.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
            // SAFETY: the caller's contract.
            unsafe { System.dealloc(ptr, layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            in_the_middle();
            // SAFETY: the caller's contract.
            unsafe { System.alloc_zeroed(layout) }
        }
    }

    #[test]
    fn while_a_thread_starts_the_pools_the_others_and_its_own_handlers_have_the_fallback() {
        static POOL: PoolAlloc<Interrupted> = PoolAlloc::with_fallback(Interrupted, Config::new());

        fn served_by_the_fallback() {
            let block = Block::take(&POOL, whole(Class::Medium), 1).resize(100);
            assert!(!POOL.owns(block.start));
            block.give();
        }

        if common::case().is_none() {
            let test = while_a_thread_starts_the_pools_the_others_and_its_own_handlers_have_the_fallback;
            return run_to_success(child(test, "middle"));
        }
        IN_THE_MIDDLE.set(Some(|| {
            served_by_the_fallback();
            thread::spawn(served_by_the_fallback).join().unwrap();
        }));
        let first = Block::take(&POOL, whole(Class::Medium), 2);
        assert!(POOL.owns(first.start));
        assert!(IN_THE_MIDDLE.get().is_none());
        let stats = POOL.stats();
        // A request that this thread makes inside the fallback is the fallback's own, and is not counted.
        let counted = if cfg!(framepool_os = "none") { 1 } else { 2 };
        assert_eq!(stats.hits(), 1);
        assert_eq!((stats.bypasses(), stats.bypassed(Bypass::Starting)), (counted, counted));
        // Each block of the fallback also shrank there, which is one more call.
        assert_eq!((stats.total_allocs(), stats.fallbacks()), (1 + counted, 2 * counted));
        first.give();
    }
}

/// Has each thread ask in each round until it gets a slot.
#[test]
fn threads_that_race_to_start_the_pools_all_get_blocks_and_are_all_counted() {
    const THREADS: usize = 64;
    const ROUNDS: usize = 100;
    const CONFIG: Config = Config::new().class(Class::Large, 65 << 11, 2).class(Class::XLarge, 256 << 10, 1);
    static ROUND: Barrier = Barrier::new(THREADS);

    if common::case().is_none() {
        let test = threads_that_race_to_start_the_pools_all_get_blocks_and_are_all_counted;
        return run_to_success(child(test, "race"));
    }
    let asked: Vec<_> = (0..ROUNDS).map(|_| AtomicU64::new(0)).collect();
    // Leaked: a thread's counters lie in the pools that it used first.
    let pools: &[PoolAlloc] = (0..ROUNDS).map(|_| PoolAlloc::with_config(CONFIG)).collect::<Vec<_>>().leak();
    thread::scope(|scope| {
        for id in 0..THREADS as u64 {
            let asked = &asked;
            scope.spawn(move || {
                for (pool, asked) in pools.iter().zip(asked) {
                    ROUND.wait();
                    let mut served = false;
                    while !served {
                        let block = Block::take(pool, layout(1_000, 8), id);
                        asked.fetch_add(1, SeqCst);
                        served = pool.owns(block.start);
                        block.give();
                    }
                }
            });
        }
    });
    for (pool, asked) in pools.iter().zip(asked) {
        let (stats, asked) = (pool.stats(), asked.into_inner());
        assert_eq!((stats.total_allocs(), stats.hits()), (asked, THREADS as u64));
        assert_eq!(stats.bypassed(Bypass::Starting), asked - THREADS as u64, "{stats}");
        assert_eq!((stats.returns(), stats.class(Class::Small).in_use), (THREADS as u64, 0));
    }
}
