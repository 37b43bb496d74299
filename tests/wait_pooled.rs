//! Waiting for a slot: no thread sleeps while a slot is free, threads are served in the order in which they
//! came, and a wait ends at its timeout.

mod common;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use common::in_forked_child;
use framepool::{BufferPool, Class, Config, WaitError};

const FRAME: usize = 1_382_400;

/// Returns a time that no wait takes.
fn long() -> Duration {
    common::patience(Duration::from_secs(20))
}

fn pool(slots: usize) -> BufferPool {
    BufferPool::with_config(Config::new().class(Class::XLarge, FRAME, slots))
}

#[test]
fn a_free_slot_is_had_at_once_and_a_length_that_never_will_be_is_refused_at_once() {
    let pool = pool(1);
    let began = Instant::now();
    assert!(pool.wait_pooled(FRAME, Duration::MAX).unwrap().is_pooled());
    assert_eq!(pool.wait_pooled(FRAME + 1, long()).unwrap_err(), WaitError::NeverPooled);
    assert_eq!(pool.wait_pooled(usize::MAX, long()).unwrap_err(), WaitError::NeverPooled);
    assert_eq!(pool.wait_pooled(0, long()).unwrap().capacity(), 0);
    let floor = BufferPool::with_config(Config::new().floor(Class::Small, 100));
    assert_eq!(floor.wait_pooled(99, long()).unwrap_err(), WaitError::NeverPooled);
    let held = BufferPool::with_config(Config::new().hold_back(Class::Small, 1_024, 100));
    assert_eq!(held.wait_pooled(99, long()).unwrap_err(), WaitError::NeverPooled);
    assert!(held.wait_pooled(100, long()).is_ok());
    assert!(began.elapsed() < long());
    let text = "no slot will ever serve this length";
    assert_eq!(WaitError::NeverPooled.to_string(), text);
}

#[test]
fn when_the_time_is_up_it_says_so_and_leaves_nothing_behind() {
    let pool = pool(1);
    let frame = pool.alloc(FRAME);
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let began = Instant::now();
        assert_eq!(pool.wait_pooled(FRAME, timeout).unwrap_err(), WaitError::TimedOut);
        assert!(began.elapsed() >= timeout);
    }
    let stats = pool.stats().class(Class::XLarge);
    assert_eq!((stats.hits, stats.misses), (1, 2), "a wait that failed is one miss");
    drop(frame);
    assert_eq!(pool.stats().class(Class::XLarge).in_use, 0, "the waiter that gave up got no slot");
    assert!(pool.alloc_pooled(FRAME).is_some());
}

#[test]
fn a_give_wakes_a_waiting_thread_and_counts_one_hit() {
    let pool = pool(1);
    let frame = pool.alloc(FRAME);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.wait_pooled(FRAME, long()).map(|buf| (buf, Instant::now())));
        thread::sleep(Duration::from_millis(50));
        assert!(!waiter.is_finished());
        let given = Instant::now();
        drop(frame);
        let (buf, woken) = waiter.join().unwrap().unwrap();
        assert!(buf.is_pooled() && woken - given < long() / 2);
    });
    let stats = pool.stats().class(Class::XLarge);
    assert_eq!((stats.hits, stats.returns, stats.misses, stats.peak), (2, 2, 0, 1));
}

/// Each thread begins to wait when the one before it sleeps, so the order of arrival is known.
#[test]
fn the_first_to_wait_is_the_first_served() {
    let pool = pool(1);
    let frame = pool.alloc(FRAME);
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        let pool = &pool;
        for place in 0..4 {
            let next = &next;
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(100 * place));
                let buf = pool.wait_pooled(FRAME, long()).unwrap();
                assert_eq!(next.fetch_add(1, Relaxed), place);
                drop(buf);
            });
        }
        thread::sleep(Duration::from_millis(500));
        drop(frame);
    });
    assert_eq!(next.load(Relaxed), 4);
}

/// A waiting thread whose layout may not have the held-back slots does not block one with a larger layout.
#[test]
fn a_thread_that_cannot_be_served_does_not_hold_up_the_others() {
    let config = Config::new().class(Class::XLarge, FRAME, 2).hold_back(Class::XLarge, 1, FRAME);
    let pool = BufferPool::with_config(config);
    let (small, large) = (pool.alloc(FRAME - 1), pool.alloc(FRAME));
    assert!(small.is_pooled() && large.is_pooled());
    thread::scope(|scope| {
        let first = scope.spawn(|| pool.wait_pooled(FRAME - 1, long()).unwrap());
        thread::sleep(Duration::from_millis(50));
        let second = scope.spawn(|| pool.wait_pooled(FRAME, long()).unwrap());
        thread::sleep(Duration::from_millis(50));
        drop(large);
        assert!(second.join().unwrap().is_pooled());
        assert!(!first.is_finished());
        drop(small);
        assert!(first.join().unwrap().is_pooled());
    });
}

/// While this thread waits, only the trimming thread gives anything back.
#[test]
fn what_a_trim_held_goes_to_a_waiting_thread() {
    let pool = pool(1);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                pool.trim();
            }
        });
        for id in 0..1_000 {
            let frame = pool.wait_pooled(FRAME, long());
            let is_served = frame.map(|mut frame| frame.resize(FRAME, id as u8)).is_ok();
            if !is_served {
                done.store(true, Relaxed);
            }
            assert!(is_served);
            // Lets the next wait begin at any moment of a trim.
            (0..id % 50 * 100).for_each(|_| std::hint::spin_loop());
        }
        done.store(true, Relaxed);
    });
}

/// Has 8 threads wait for 2 slots all the time, while this thread trims, which holds slots for moments. No
/// thread may wait for long, and each slot must have one owner.
fn crowd(time: Duration) {
    let pool = pool(2);
    let (done, start) = (AtomicBool::new(false), Barrier::new(9));
    let counts: [AtomicU64; 8] = Default::default();
    thread::scope(|scope| {
        for (count, id) in counts.iter().zip(0_u8..) {
            let (pool, done, start) = (&pool, &done, &start);
            scope.spawn(move || {
                start.wait();
                while !done.load(Relaxed) {
                    let mut buf = pool.wait_pooled(FRAME, long()).expect("a waiting thread was forgotten");
                    buf.extend_from_slice(&[id; 64]);
                    if id % 2 == 0 {
                        thread::yield_now();
                    }
                    assert_eq!(*buf, [id; 64]);
                    drop(buf);
                    count.fetch_add(1, Relaxed);
                }
            });
        }
        start.wait();
        let began = Instant::now();
        while began.elapsed() < time {
            pool.trim();
            thread::sleep(Duration::from_millis(1));
        }
        done.store(true, Relaxed);
    });
    let served = counts.map(AtomicU64::into_inner);
    println!("served in {time:?}: {served:?}");
    // A thread that runs while the other threads have no core finds the queue empty. It may take many slots
    // in a row.
    let mut sorted = served;
    sorted.sort();
    assert!(sorted[0] > 0 && sorted[4] / sorted[0] < 10, "{served:?}");
    let stats = pool.stats().class(Class::XLarge);
    assert_eq!((stats.hits, stats.misses, stats.in_use), (served.iter().sum(), 0, 0));
}

#[test]
fn eight_threads_on_two_slots_are_all_served() {
    crowd(Duration::from_secs(2));
}

#[test]
#[ignore = "takes a minute"]
fn eight_threads_on_two_slots_are_all_served_for_a_minute() {
    crowd(Duration::from_secs(60));
}

/// The threads that waited in the parent are not in the child, and the child does not wait for them.
#[cfg(unix)]
#[test]
fn the_child_of_a_fork_has_no_part_in_its_parents_queue() {
    assert_child_has_a_queue_of_its_own(|| ());
}

/// Parent and child are both the first process of a namespace, and so have the same number.
#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
#[test]
fn nor_has_a_child_that_has_the_number_of_its_parent() {
    fn become_parent_of_first_processes() {
        // SAFETY: concerns the children of this thread only.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            println!("not tested: this process may not make a namespace");
        }
    }
    become_parent_of_first_processes();
    in_forked_child(|| assert_child_has_a_queue_of_its_own(become_parent_of_first_processes)).unwrap();
}

/// Panics unless the child of a fork can wait while threads of the parent wait. Calls `before` right before
/// the fork.
#[cfg(unix)]
fn assert_child_has_a_queue_of_its_own(before: impl FnOnce()) {
    let pool = pool(1);
    let frame = pool.alloc(FRAME);
    thread::scope(|scope| {
        let waits = || pool.wait_pooled(FRAME, long()).map(drop);
        let waiting = [scope.spawn(waits), scope.spawn(waits)];
        // By then both threads sleep, most probably.
        thread::sleep(Duration::from_millis(50));
        before();
        let frame = std::cell::Cell::new(Some(frame));
        let ended = in_forked_child(|| {
            drop(frame.take());
            pool.wait_pooled(FRAME, Duration::from_secs(2)).unwrap();
        });
        drop(frame);
        waiting.into_iter().for_each(|waiter| waiter.join().unwrap().unwrap());
        ended.unwrap();
    });
}
