//! P2, P3: a thread that dies anywhere in the allocator stops no other thread. It keeps back at most its live
//! blocks, the slots that it had cached, and those that it was moving. A thread that is cancelled elsewhere
//! keeps back nothing.

#![cfg(all(target_os = "linux", not(framepool_os = "none")))]

mod common;

use std::alloc::GlobalAlloc;
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::SeqCst};

use common::{Block, Random, child, layout, run_to_success};
use framepool::{Class, Config, PoolAlloc, SlotState};

/// The number of deaths. Each has pools of its own, because slots that a dead thread keeps back never return.
const DEATHS: u32 = 200;
const CONFIG: Config = Config::new()
    .class(Class::Small, 1 << 10, 256)
    .class(Class::Medium, 4 << 10, 8)
    .class(Class::Large, 8 << 10, 8)
    .class(Class::XLarge, 64 << 10, 32);

static POOL: AtomicPtr<PoolAlloc> = AtomicPtr::new(null_mut());
static IS_BUSY: AtomicBool = AtomicBool::new(false);

fn pool() -> &'static PoolAlloc {
    // SAFETY: set before any thread reads it, to pools that are leaked.
    unsafe { &*POOL.load(SeqCst) }
}

fn set_new_pool() -> &'static PoolAlloc {
    let pool = Box::leak(Box::new(PoolAlloc::with_config(CONFIG)));
    POOL.store(pool, SeqCst);
    pool
}

fn whole(class: Class) -> std::alloc::Layout {
    layout(CONFIG.slot_bytes(class), 8)
}

/// Takes and gives up to 25 blocks of each of two classes, over and over, so that magazines are refilled and
/// flushed, too.
fn churn(rounds: usize) {
    for round in 0..rounds {
        for class in [Class::Small, Class::XLarge] {
            let layout = whole(class);
            let held = 1 + round % 3 * if matches!(class, Class::Small) { 12 } else { 1 };
            let mut blocks = [null_mut(); 32];
            // SAFETY: not empty; freed once, as they were allocated.
            unsafe {
                blocks[..held].iter_mut().for_each(|block| *block = pool().alloc(layout));
                blocks[..held].iter().for_each(|block| pool().dealloc(black_box(*block), layout));
            }
        }
        IS_BUSY.store(true, SeqCst);
    }
}

extern "C-unwind" fn churn_forever(_: *mut c_void) -> *mut c_void {
    churn(usize::MAX);
    null_mut()
}

/// Uses the pools, and then waits where the C library lets a thread be cancelled. Has nothing to drop.
extern "C-unwind" fn churn_and_wait(_: *mut c_void) -> *mut c_void {
    churn(100);
    loop {
        // SAFETY: waits for a signal.
        unsafe { libc::pause() };
    }
}

/// Starts a bare thread, because a thread of std must not be ended from outside. Returns once the thread has
/// used the pools.
fn start(run: extern "C-unwind" fn(*mut c_void) -> *mut c_void) -> libc::pthread_t {
    // The types differ in the unwinding alone, by which the C library cancels a thread.
    // SAFETY: function pointers with the same arguments and the same result.
    let run = unsafe {
        std::mem::transmute::<
            extern "C-unwind" fn(*mut c_void) -> *mut c_void,
            extern "C" fn(*mut c_void) -> *mut c_void,
        >(run)
    };
    // SAFETY: a number, or an address that is not used.
    let mut thread = unsafe { std::mem::zeroed() };
    IS_BUSY.store(false, SeqCst);
    // SAFETY: room for the thread's id, and a function that any thread may run.
    assert_eq!(unsafe { libc::pthread_create(&mut thread, null(), run, null_mut()) }, 0);
    while !IS_BUSY.load(SeqCst) {
        std::thread::yield_now();
    }
    thread
}

fn join(thread: libc::pthread_t) {
    // SAFETY: started above, and not joined before.
    assert_eq!(unsafe { libc::pthread_join(thread, null_mut()) }, 0);
}

/// Takes every slot of a class that there is, and gives it back. Returns the number of missing slots.
fn missing(class: Class) -> u64 {
    let mut blocks = vec![Block::take(pool(), whole(class), 0)];
    while pool().owns(blocks[blocks.len() - 1].start) {
        blocks.push(Block::take(pool(), whole(class), blocks.len() as u64));
    }
    let slots = pool().stats().class(class).slots;
    let missing = slots + 1 - blocks.len() as u64;
    blocks.into_iter().for_each(Block::give);
    missing
}

/// Ends the thread at once: nothing of it is unwound, and no destructor runs.
extern "C" fn die(_: libc::c_int) {
    // SAFETY: ends this thread.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

#[test]
fn a_thread_that_dies_anywhere_in_the_allocator_keeps_back_what_it_had_in_hand_at_most() {
    if common::case().is_none() {
        let test = a_thread_that_dies_anywhere_in_the_allocator_keeps_back_what_it_had_in_hand_at_most;
        return run_to_success(child(test, "dies"));
    }
    // SAFETY: all zeros is a valid action; the handler makes one system call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = die as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, null_mut()), 0);
    }
    let (mut random, mut nothing_missing) = (Random(1), 0);
    for _ in 0..DEATHS {
        let pool = set_new_pool();
        let thread = start(churn_forever);
        (0..random.below(1 << 14)).for_each(|_| std::hint::spin_loop());
        // SAFETY: the thread is not joined yet.
        assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
        join(thread);
        let missing = [missing(Class::Small), missing(Class::XLarge)];
        let stats = pool.stats();
        // The dead thread's live blocks, its magazine, and the slots that it was moving.
        assert!(missing[0] <= 25 + 32 + 16 && missing[1] <= 3 + 16 + 8, "{missing:?}\n{stats}");
        let live = [Class::Small, Class::XLarge].map(|class| stats.class(class).in_use);
        assert!(live[0] <= 26 && live[1] <= 4, "{stats}");
        nothing_missing += u32::from(missing[0] <= live[0] && missing[1] <= live[1]);
        // Another thread uses the pools as before.
        let others = start(churn_and_wait);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::pthread_cancel(others) }, 0);
        join(others);
    }
    assert!(nothing_missing > DEATHS / 20, "{nothing_missing} of {DEATHS}");
}

#[test]
fn a_thread_that_is_cancelled_elsewhere_leaves_nothing_behind() {
    if common::case().is_none() {
        return run_to_success(child(
            a_thread_that_is_cancelled_elsewhere_leaves_nothing_behind,
            "cancelled",
        ));
    }
    // This thread has its magazines with this allocator, so it caches nothing of the pools under test.
    static FIRST: PoolAlloc = PoolAlloc::with_config(CONFIG);
    Block::take(&FIRST, whole(Class::Small), 0).give();
    let pool = set_new_pool();
    // There are more threads than places.
    for _ in 0..600 {
        let thread = start(churn_and_wait);
        // SAFETY: the thread is not joined yet.
        assert_eq!(unsafe { libc::pthread_cancel(thread) }, 0);
        join(thread);
        // No slot is left in its magazines.
        let mut states = [SlotState::Free; 256];
        for class in [Class::Small, Class::XLarge] {
            let slots = pool.slot_states(class, &mut states);
            assert!(states[..slots].iter().all(|&state| state == SlotState::Free), "{class}");
        }
        assert_eq!((missing(Class::Small), missing(Class::XLarge)), (0, 0));
        assert_eq!(pool.stats().hits(), pool.stats().returns());
    }
}
