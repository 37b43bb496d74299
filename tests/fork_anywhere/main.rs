//! P9: a `fork` after any instruction of a claim, an exit, a reclaim or a trim leaves a child whose pools
//! work. Another thread forks, or a signal handler on the thread itself.
//!
//! In the child no slot has two owners, and at most the slots that were being moved are missing. Threads get
//! places and magazines. [`forks`] makes each child, which then checks its copy of the pools.

#![cfg(all(target_os = "linux", target_arch = "x86_64", not(framepool_os = "none")))]

#[path = "../common/mod.rs"]
mod common;
mod forks;

use std::alloc::GlobalAlloc;
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::sync::{Barrier, OnceLock};
use std::thread;

use common::layout;
use forks::{
    By, FORKED, FORKS, IS_CHILD, REQUEST, answer_requests, begin_traps, end_traps, in_a_process,
    run_with_forks, stride,
};
use framepool::{Class, Config, PoolAlloc, SlotState};

const SLOTS: usize = 48;
/// A table with magazines of half of Small, which a reclaim empties in two batches.
const CONFIG: Config = Config::new()
    .class(Class::Small, 1 << 10, SLOTS)
    .hold_back(Class::Small, 0, 0)
    .class(Class::Medium, 4 << 10, 2)
    .class(Class::Large, 8 << 10, 2)
    .class(Class::XLarge, 16 << 10, 2)
    .hold_back(Class::Medium, 0, 0);
/// The maximum number of slots that an operation moves at a time.
const BATCH: usize = 16;

fn new_pool() -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(CONFIG)))
}

fn take(pool: &PoolAlloc) -> *mut u8 {
    // SAFETY: not empty.
    unsafe { pool.alloc(layout(1_000, 8)) }
}

fn give(pool: &PoolAlloc, start: *mut u8) {
    // SAFETY: the callers give up a live block.
    unsafe { pool.dealloc(start, layout(1_000, 8)) }
}

/// Takes `slots` slots of Small, or fewer if there are no more.
fn take_slots(pool: &PoolAlloc, slots: usize) -> Vec<*mut u8> {
    let mut taken = Vec::new();
    while taken.len() < slots {
        let start = take(pool);
        if !pool.owns(start) {
            give(pool, start);
            break;
        }
        taken.push(start);
    }
    taken
}

/// Examines the pools of a child in which `live` slots of Small are in use and up to `lost` may be missing.
/// Returns 0 if all is well, otherwise the number of the error.
fn examine(pool: &'static PoolAlloc, live: &[usize], lost: usize) -> i32 {
    let has_magazine = || {
        let slots = take_slots(pool, 2);
        slots.iter().for_each(|&start| give(pool, start));
        !cached(pool).is_empty()
    };
    // Runs twice, because the first round's threads may get places beyond one that no thread will ever have.
    for _ in 0..2 {
        let slots = take_slots(pool, SLOTS + 1);
        let distinct: BTreeSet<_> =
            slots.iter().map(|start| start.addr()).chain(live.iter().copied()).collect();
        if distinct.len() != slots.len() + live.len() {
            return 3;
        }
        if distinct.len() + lost < SLOTS {
            return 4;
        }
        slots.iter().for_each(|&start| give(pool, start));
        // No magazine stays pending, and there are places.
        let threads = [thread::spawn(has_magazine), thread::spawn(has_magazine)];
        if !threads.into_iter().all(|thread| thread.join().is_ok_and(|has_one| has_one)) {
            return 5;
        }
    }
    0
}

/// Returns the slots of Small that are in magazines.
fn cached(pool: &PoolAlloc) -> BTreeSet<usize> {
    let mut states = [SlotState::Free; SLOTS];
    pool.slot_states(Class::Small, &mut states);
    (0..SLOTS).filter(|&slot| states[slot] == SlotState::Cached).collect()
}

/// Whether this thread's cached slots stay cached while another thread takes as many. With one place for
/// both, they would be gone.
fn has_a_place_of_its_own(pool: &'static PoolAlloc) -> bool {
    let own = cached(pool);
    let others = thread::scope(|scope| {
        let takes = || {
            let slots = take_slots(pool, own.len());
            let is_untouched = cached(pool).is_superset(&own);
            slots.iter().for_each(|&start| give(pool, start));
            is_untouched
        };
        scope.spawn(takes).join()
    });
    !own.is_empty() && others.is_ok_and(|is_untouched| is_untouched)
}

/// Examines a child in which the thread that forked has gone on and lost nothing: first on another thread,
/// then on this one. Each step in which the thread may have forked is settled by now.
fn examine_elsewhere(pool: &'static PoolAlloc, live: &[usize]) -> i32 {
    let alone = thread::scope(|scope| scope.spawn(|| examine(pool, live, 0)).join()).unwrap_or(7);
    if alone == 0 { examine(pool, live, 0) } else { alone }
}

#[test]
fn while_a_thread_claims_its_place() {
    in_a_process(while_a_thread_claims_its_place, stride(97), |by| {
        let pool = new_pool();
        let (started, done) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            // This thread starts the pools. If another thread forks, it keeps the first place, so that the
            // next place is new. Otherwise it leaves, so that the next place has a gate that is open before
            // its owner is known.
            scope.spawn(|| {
                give(pool, take(pool));
                if by == By::AnotherThread {
                    started.wait();
                    done.wait();
                }
            });
            if by == By::Handler {
                while pool.stats().returns() == 0 || !cached(pool).is_empty() {
                    thread::yield_now();
                }
            } else {
                started.wait();
            }
            let block = AtomicPtr::<u8>::new(null_mut());
            run_with_forks(
                by,
                || block.store(take(pool), SeqCst),
                |by| match by {
                    By::AnotherThread => examine(pool, &[], 1 + BATCH),
                    By::Handler if has_a_place_of_its_own(pool) => {
                        examine_elsewhere(pool, &[block.load(SeqCst).addr()])
                    }
                    By::Handler => 8,
                },
            );
            give(pool, block.into_inner());
            if by == By::AnotherThread {
                done.wait();
            }
        });
    });
}

#[test]
fn while_a_thread_reclaims_what_another_has_cached() {
    in_a_process(while_a_thread_reclaims_what_another_has_cached, stride(53), |by| {
        let pool = new_pool();
        let (cached, done) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                // Its magazine grows to half of the slots, and is full in the end.
                for _ in 0..8 {
                    take_slots(pool, SLOTS / 2).into_iter().for_each(|start| give(pool, start));
                }
                cached.wait();
                done.wait();
            });
            cached.wait();
            let cached = self::cached(pool).len();
            assert!(cached > BATCH, "{cached} slots are cached, which is one batch");
            let held: Vec<_> = take_slots(pool, SLOTS - cached).into_iter().map(AtomicPtr::new).collect();
            let block = AtomicPtr::<u8>::new(null_mut());
            let work = || block.store(take(pool), SeqCst);
            run_with_forks(by, work, |by| {
                // Half of the slots must be free for the lane to be cached again.
                held.iter().for_each(|start| give(pool, start.load(SeqCst)));
                match by {
                    By::AnotherThread => examine(pool, &[], 1 + BATCH),
                    By::Handler => examine_elsewhere(pool, &[block.load(SeqCst).addr()]),
                }
            });
            let block = block.into_inner();
            assert!(pool.owns(block));
            give(pool, block);
            held.into_iter().for_each(|start| give(pool, start.into_inner()));
            done.wait();
        });
    });
}

#[test]
fn while_a_thread_trims() {
    in_a_process(while_a_thread_trims, stride(2003), |by| {
        let pool = new_pool();
        take_slots(pool, SLOTS).into_iter().for_each(|start| give(pool, start));
        let work = || _ = pool.trim();
        run_with_forks(by, work, |by| match by {
            By::AnotherThread => examine(pool, &[], 2 * BATCH),
            By::Handler => examine_elsewhere(pool, &[]),
        });
    });
}

/// The trap flag is set in a destructor that runs before the allocator's, and cleared in one that runs after
/// it. Keys are visited in the order in which they were made. (Later the C library blocks all signals.)
#[test]
fn while_a_thread_exits() {
    thread_local!(static TRAPS_FROM_HERE: TrapsWhenDropped = const { TrapsWhenDropped });
    struct TrapsWhenDropped;
    impl Drop for TrapsWhenDropped {
        fn drop(&mut self) {
            FORKS.set(BY.get().copied());
            begin_traps();
        }
    }
    static BY: OnceLock<By> = OnceLock::new();
    static POOL: OnceLock<&'static PoolAlloc> = OnceLock::new();
    extern "C" fn no_traps_from_here(_: *mut c_void) {
        end_traps();
        if IS_CHILD.get() {
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(examine_elsewhere(POOL.get().unwrap(), &[])) }
        }
    }

    in_a_process(while_a_thread_exits, stride(61), |by| {
        let pool = *POOL.get_or_init(new_pool);
        thread::spawn(|| give(pool, take(pool))).join().unwrap();
        BY.set(by).unwrap();
        let mut key = 0;
        // SAFETY: room for the key, and a destructor that does not unwind.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(no_traps_from_here)) }, 0);
        thread::scope(|scope| {
            // The magazine of a thread that is caught inside is lost.
            let answers = scope.spawn(|| answer_requests(&|_| examine(pool, &[], SLOTS / 2)));
            let exits = thread::spawn(move || {
                take_slots(pool, 8).into_iter().for_each(|start| give(pool, start));
                // SAFETY: the key was created; its value is never dereferenced.
                assert_eq!(unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) }, 0);
                TRAPS_FROM_HERE.with(|_| ());
            });
            exits.join().unwrap();
            REQUEST.store(3, SeqCst);
            answers.join().unwrap();
        });
        assert!(FORKED.load(SeqCst) > 20);
    });
}
