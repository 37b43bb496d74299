//! Coroutines that begin `unpooled` on one thread and end it on another.
//!
//! The thread on which it began stays inside, for that allocator and as long as it lives. The thread on which
//! it ends is left as it was.

#![cfg(target_os = "linux")]

mod alone;
mod probe;
mod workers;

use std::alloc::System;
use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use alone::alone;
use framepool::PoolAlloc;
use probe::{assert_all_free, hammer, has_magazine, is_pooled, pool, take_all};
use workers::{Moving, Worker, Yielder};

type Pool = &'static PoolAlloc;

/// Suspends once inside `unpooled`.
fn inside(pool: Pool) -> impl FnOnce(&Yielder) {
    move |yielder| pool.unpooled(|| yielder.suspend(()))
}

/// Suspends twice inside `unpooled` of two allocators.
fn inside_both([outer, inner]: [Pool; 2]) -> impl FnOnce(&Yielder) {
    move |yielder| {
        outer.unpooled(|| {
            inner.unpooled(|| yielder.suspend(()));
            yielder.suspend(());
        });
    }
}

/// Starts a thread that uses the allocator, so that it has a place with it.
fn user(pool: Pool) -> Worker {
    let worker = Worker::start();
    assert!(worker.run(move || has_magazine(pool)));
    worker
}

/// Makes threads use an allocator at once. Panics unless the pools serve every request, out of slots that
/// have one owner, and count it exactly.
fn hammer_at_once(pool: Pool, workers: &[&Worker]) {
    for round in 0..if cfg!(debug_assertions) { 3 } else { 10 } {
        let before = pool.stats();
        let running: Vec<_> = workers
            .iter()
            .zip(1..)
            .map(|(worker, seed)| worker.begin(move || hammer(pool, round * 100 + seed)))
            .collect();
        let served: Vec<_> = running.into_iter().map(|wait| wait()).collect();
        let (requests, pooled): (u64, u64) =
            served.iter().fold((0, 0), |sum, served| (sum.0 + served.requests, sum.1 + served.pooled));
        assert_eq!(requests, pooled, "a thread is not served from the pools");
        let stats = pool.stats().since(&before);
        assert_eq!((stats.hits(), stats.returns(), stats.fallbacks()), (requests, requests, 0));
        assert_all_free(pool);
    }
}

#[test]
fn unpooled_that_ends_on_another_thread_changes_nothing_there() {
    alone(unpooled_that_ends_on_another_thread_changes_nothing_there, || {
        let (x, y): (Pool, Pool) = (pool(System), pool(System));
        let (first, second) = (user(x), user(x));
        for pools in [[x, x], [x, y], [y, x]] {
            let mut coroutine = first.run(move || Moving::start(inside_both(pools)));
            assert!(second.run(move || has_magazine(x) && is_pooled(y)), "it is not inside");
            second.run(move || {
                coroutine.go_on();
                assert!(has_magazine(x) && is_pooled(y), "it has left one that it was not inside");
                coroutine.end();
                assert!(has_magazine(x) && is_pooled(y));
                x.unpooled(|| assert!(!is_pooled(x) && is_pooled(y)));
                assert!(has_magazine(x) && is_pooled(y));
            });
            assert!(!first.run(move || is_pooled(x)), "it never leaves");
        }
        // Other threads are served as before, while the first one lives and after that.
        let third = user(x);
        hammer_at_once(x, &[&second, &third]);
        first.exit();
        let fourth = user(x);
        hammer_at_once(x, &[&second, &third, &fourth]);
        take_all(x);
    });
}

#[test]
fn a_coroutine_that_comes_back_to_its_thread_leaves_there() {
    alone(a_coroutine_that_comes_back_to_its_thread_leaves_there, || {
        let (x, y): (Pool, Pool) = (pool(System), pool(System));
        let (first, second) = (user(x), user(x));
        let visits = move |yielder: &Yielder| {
            x.unpooled(|| {
                y.unpooled(|| {
                    yielder.suspend(());
                    assert!(is_pooled(x) && is_pooled(y), "it is the first thread that is inside");
                    yielder.suspend(());
                    assert!(!is_pooled(x) && !is_pooled(y));
                });
                assert!(!is_pooled(x) && is_pooled(y));
            });
        };
        for _ in 0..100 {
            let mut coroutine = first.run(move || Moving::start(visits));
            let coroutine = second.run(move || {
                coroutine.go_on();
                assert!(has_magazine(x) && is_pooled(y));
                coroutine
            });
            assert!(!first.run(move || is_pooled(x) || is_pooled(y)));
            first.run(move || coroutine.end());
            assert!(first.run(move || has_magazine(x) && is_pooled(y)));
        }
        hammer_at_once(x, &[&first, &second]);
        take_all(x);
    });
}

#[test]
fn a_thread_inside_stays_inside_when_a_coroutine_of_another_thread_ends_there() {
    alone(a_thread_inside_stays_inside_when_a_coroutine_of_another_thread_ends_there, || {
        let x: Pool = pool(System);
        let (first, second) = (user(x), user(x));
        let (a, b) = first.run(move || (Moving::start(inside(x)), Moving::start(inside(x))));
        second.run(move || {
            x.unpooled(|| {
                a.end();
                assert!(!is_pooled(x), "this thread is inside by itself");
                x.unpooled(|| drop(b));
                assert!(!is_pooled(x), "this thread is inside by itself");
            });
            assert!(has_magazine(x));
        });
        hammer_at_once(x, &[&second]);
        take_all(x);
    });
}

#[test]
fn two_coroutines_change_threads_inside() {
    alone(two_coroutines_change_threads_inside, || {
        let x: Pool = pool(System);
        let (first, second) = (user(x), user(x));
        let a = first.run(move || Moving::start(inside(x)));
        let b = second.run(move || Moving::start(inside(x)));
        second.run(move || a.end());
        first.run(move || b.end());
        for worker in [&first, &second] {
            assert!(!worker.run(move || is_pooled(x)), "what it began has not ended there");
        }
        first.exit();
        second.exit();
        let (third, fourth) = (user(x), user(x));
        hammer_at_once(x, &[&third, &fourth]);
        take_all(x);
    });
}

/// Plays all cases: the first and the second thread have a place with the allocator or none yet, and the
/// coroutine returns or unwinds.
#[test]
fn the_place_of_a_thread_that_exited_inside_has_one_owner() {
    alone(the_place_of_a_thread_that_exited_inside_has_one_owner, || {
        for number in 0..if cfg!(debug_assertions) { 8 } else { 40 } {
            let x: Pool = pool(System);
            let [first_has_place, second_has_place, unwinds] = [1, 2, 4].map(|bit| number & bit != 0);
            let first = if first_has_place { user(x) } else { Worker::start() };
            let coroutine = first.run(move || Moving::start(inside(x)));
            let second = if second_has_place { user(x) } else { Worker::start() };
            first.exit();
            // The third thread gets the lowest free place: that of the first thread, if it had one.
            let third = user(x);
            second.run(move || if unwinds { drop(coroutine) } else { coroutine.end() });
            assert!(second.run(move || has_magazine(x)), "case {number}");
            assert!(third.run(move || has_magazine(x)), "case {number}");
            hammer_at_once(x, &[&second, &third]);
            take_all(x);
            second.exit();
            third.exit();
            take_all(x);
            assert_all_free(x);
        }
    });
}

/// The C library gives a new thread the memory of one that has exited, thread-locals included.
#[test]
fn a_thread_at_the_address_of_an_earlier_one_is_not_that_one() {
    alone(a_thread_at_the_address_of_an_earlier_one_is_not_that_one, || {
        let x: Pool = pool(System);
        for _ in 0..40 {
            let first = user(x);
            let (a, b) = first.run(move || (Moving::start(inside(x)), Moving::start(inside(x))));
            first.exit();
            let second = user(x);
            second.run(move || {
                a.end();
                assert!(has_magazine(x));
                x.unpooled(|| {
                    assert!(!is_pooled(x), "no end of another thread's has been counted for this one");
                    b.end();
                    assert!(!is_pooled(x), "this thread is inside by itself");
                });
                assert!(has_magazine(x));
            });
            hammer_at_once(x, &[&second]);
            second.exit();
        }
        take_all(x);
        assert_all_free(x);
    });
}

/// The C library runs destructors of keys in the order in which the keys were made. The allocator's key is
/// older.
#[test]
fn a_coroutine_unwinds_on_a_thread_that_has_left_its_place() {
    unsafe extern "C" fn unwind(coroutine: *mut c_void) {
        let pool = *POOL.get().unwrap();
        assert!(!is_pooled(pool), "this thread is inside until the coroutine has left");
        // SAFETY: this thread stored the pointer, and nothing else uses it.
        drop(unsafe { Box::from_raw(coroutine.cast::<Moving>()) });
        assert!(is_pooled(pool));
        assert!(!has_magazine(pool), "this thread is back in the place that it has left");
        DONE.fetch_add(1, SeqCst);
    }

    static POOL: OnceLock<Pool> = OnceLock::new();
    static DONE: AtomicUsize = AtomicUsize::new(0);

    alone(a_coroutine_unwinds_on_a_thread_that_has_left_its_place, || {
        let x = *POOL.get_or_init(|| pool(System));
        assert!(has_magazine(x));
        let mut key = 0;
        // SAFETY: room for the key, and a destructor for the values that the threads below store.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(unwind)) }, 0);
        for _ in 0..20 {
            let first = user(x);
            first.run(move || {
                let coroutine = Box::into_raw(Box::new(Moving::start(inside(x))));
                // SAFETY: the key made above.
                assert_eq!(unsafe { libc::pthread_setspecific(key, coroutine.cast()) }, 0);
            });
            first.exit();
        }
        assert_eq!(DONE.load(SeqCst), 20);
        assert!(has_magazine(x));
        take_all(x);
        assert_all_free(x);
    });
}

#[test]
fn coroutines_end_on_threads_that_use_the_pools_in_the_places_of_those_that_began_them() {
    alone(coroutines_end_on_threads_that_use_the_pools_in_the_places_of_those_that_began_them, || {
        let x: Pool = pool(System);
        let bystander = user(x);
        for _ in 0..20 {
            let begin = |worker: Worker| {
                let coroutines = worker.run(move || (Moving::start(inside(x)), Moving::start(inside(x))));
                (worker, coroutines)
            };
            let (mut began, coroutines): (Vec<_>, Vec<_>) = (0..4).map(|_| begin(user(x))).unzip();
            began.drain(..3).for_each(Worker::exit);
            let enders: Vec<_> = (0..4).map(|_| user(x)).collect();
            let before = x.stats();
            let running: Vec<_> = coroutines
                .into_iter()
                .zip(&enders)
                .zip(1..)
                .map(|(((a, b), worker), seed)| {
                    worker.begin(move || {
                        let first = hammer(x, seed);
                        a.end();
                        let second = hammer(x, seed + 100);
                        drop(b);
                        [first, second, hammer(x, seed + 200)]
                    })
                })
                .collect();
            let mut served = vec![bystander.run(move || hammer(x, 1_000))];
            served.extend(running.into_iter().flat_map(|wait| wait()));
            let requests: u64 = served.iter().map(|served| served.requests).sum();
            assert!(served.iter().all(|served| served.pooled == served.requests), "{served:?}");
            let stats = x.stats().since(&before);
            assert_eq!((stats.hits(), stats.returns(), stats.fallbacks()), (requests, requests, 0));
            began.into_iter().chain(enders).for_each(Worker::exit);
        }
        take_all(x);
        assert_all_free(x);
    });
}
