//! P12: once no thread is inside, the statistics are exact, whichever threads did the work. Each request is
//! in exactly one count.

mod common;

use std::alloc::GlobalAlloc;

use common::layout;
use framepool::{Bypass, Class, Config, PoolAlloc, Reservation, Stats};

fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

fn assert_equations(stats: &Stats) {
    for class in Class::ALL.map(|class| stats.class(class)) {
        assert_eq!(class.hits - class.returns, class.in_use);
        assert!(class.in_use <= class.peak && class.peak <= class.slots);
    }
    assert_eq!(stats.total_allocs(), stats.hits() + stats.misses() + stats.bypasses());
    assert_eq!(stats.bypasses(), Bypass::ALL.iter().map(|&reason| stats.bypassed(reason)).sum::<u64>());
}

#[test]
fn an_allocator_that_was_never_used_has_reserved_and_counted_nothing() {
    let stats = pool(Config::new()).stats();
    assert_eq!((stats.reservation(), stats.total_allocs(), stats.hit_rate()), (Reservation::Pending, 0, 0.0));
    assert_eq!(stats.class(Class::Small).slots, 1024);
}

#[test]
fn peak_is_the_most_that_was_live_at_once_and_in_use_what_is_live_now() {
    let pool = pool(Config::new());
    let layouts = [layout(10, 1), layout(1_000, 1), layout(10, 1)];
    // SAFETY: each block is freed once, with its layout.
    unsafe {
        let blocks = layouts.map(|layout| pool.alloc(layout));
        assert_eq!(pool.stats().class(Class::Small).in_use, 3);
        blocks.into_iter().zip(layouts).for_each(|(ptr, layout)| pool.dealloc(ptr, layout));
        pool.dealloc(pool.alloc(layouts[0]), layouts[0]);
    }
    let small = pool.stats().class(Class::Small);
    assert_eq!((small.in_use, small.peak, small.hits, small.returns), (0, 3, 4, 4));
    assert_eq!(small.requested_bytes, 10 + 1_000 + 10 + 10);
    assert_equations(&pool.stats());
}

/// Checks the counts of threads with a place, of threads without one, and of threads that have exited. A
/// thread has a place only in the first allocator that it uses.
#[test]
fn sums_are_exact_after_many_threads_did_many_things() {
    const ROUNDS: usize = 500;
    const THREADS: usize = 8;
    let first = pool(Config::new().floor(Class::Small, 100));
    let second = pool(Config::new().floor(Class::Small, 100));
    let work = |pool: &'static PoolAlloc| {
        let sizes = [50, 500, 5_000, 100_000, 1_000_000, 3_000_000];
        for _ in 0..ROUNDS {
            for size in sizes {
                // SAFETY: the block is live until it is freed, with its layout of the moment.
                unsafe {
                    let ptr = pool.alloc_zeroed(layout(size, 8));
                    assert!(!ptr.is_null());
                    let ptr = pool.realloc(ptr, layout(size, 8), size + 1);
                    pool.dealloc(ptr, layout(size + 1, 8));
                }
            }
        }
    };
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    work(first);
                    work(second);
                });
            }
        });
    }
    let times = (2 * THREADS * ROUNDS) as u64;
    for stats in [first.stats(), second.stats()] {
        assert_equations(&stats);
        // 50 bytes are below the floor, and 3,000,000 are too large. Both count twice: for the allocation,
        // and for the growth in the fallback.
        let starting = stats.bypassed(Bypass::Starting);
        assert_eq!(stats.total_allocs() + stats.reallocs_in_place(), 12 * times);
        assert_eq!(
            stats.total_bytes(),
            times * 2 * (50 + 500 + 5_000 + 100_000 + 1_000_000 + 3_000_000) + 6 * times
        );
        assert_eq!(stats.fallbacks(), stats.misses() + stats.bypasses());
        assert!(stats.bypassed(Bypass::BelowFloor) + starting >= 2 * times);
        assert!(stats.bypassed(Bypass::TooLarge) + starting >= 2 * times);
        assert_eq!(stats.hits() + stats.reallocs_in_place() + stats.misses() + starting, {
            let others = stats.bypassed(Bypass::BelowFloor) + stats.bypassed(Bypass::TooLarge);
            12 * times - others
        });
        assert!(Class::ALL.iter().all(|&class| stats.class(class).in_use == 0));
    }
}

#[test]
fn since_tells_what_a_stretch_of_work_did() {
    let pool = pool(Config::new());
    let layout = layout(1_382_400, 64);
    // SAFETY: each block is freed once, with its layout.
    unsafe {
        let held = pool.alloc(layout);
        let before = pool.stats();
        pool.dealloc(pool.alloc(layout), layout);
        let since = pool.stats().since(&before);
        assert_eq!((since.hits(), since.returns(), since.total_allocs()), (1, 1, 1));
        assert_eq!(since.served(), (1, 1_382_400));
        assert_eq!((since.class(Class::XLarge).in_use, since.class(Class::XLarge).peak), (1, 2));
        pool.dealloc(held, layout);
    }
}

#[test]
fn snapshots_taken_while_threads_work_never_exceed_the_truth() {
    let pool = pool(Config::new());
    let layout = layout(1 << 20, 8);
    // SAFETY: freed once, with its layout. (This reserves the pools, so that no thread's request comes during
    // start-up.)
    unsafe { pool.dealloc(pool.alloc(layout), layout) };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..50_000 {
                        // SAFETY: freed once, with its layout.
                        unsafe { pool.dealloc(pool.alloc(layout), layout) };
                    }
                })
            })
            .collect();
        while !workers.iter().all(|worker| worker.is_finished()) {
            let xlarge = pool.stats().class(Class::XLarge);
            assert!(xlarge.in_use <= 3 && xlarge.peak <= 3, "{xlarge:?}");
        }
    });
    assert_equations(&pool.stats());
    assert_eq!(pool.stats().hits(), 150_001);
}

#[test]
fn snapshots_taken_while_requests_are_refused_never_exceed_the_truth() {
    const ROUNDS: u64 = 30_000;
    const BYTES: u64 = 3 << 20;
    let pool = pool(Config::new());
    let (large, small) = (layout(BYTES as usize, 8), layout(1_000, 4_096));
    // SAFETY: freed once, with its layout. (This reserves the pools.)
    unsafe { pool.dealloc(pool.alloc(small), small) };
    std::thread::scope(|scope| {
        let work = || {
            for _ in 0..ROUNDS {
                // SAFETY: freed once, with its layout.
                unsafe {
                    pool.dealloc(pool.alloc(large), large);
                    pool.dealloc(pool.alloc(small), small);
                }
            }
        };
        let workers = [scope.spawn(work), scope.spawn(work)];
        while !workers.iter().all(|worker| worker.is_finished()) {
            let stats = pool.stats();
            for sizes in stats.refused().filter(|sizes| sizes.from_bytes > 0) {
                assert_eq!(sizes.from_bytes, 2 << 20, "{sizes:?}");
                assert!(sizes.requests <= 2 * ROUNDS && sizes.bytes <= 2 * ROUNDS * BYTES, "{sizes:?}");
                assert_eq!((sizes.largest, sizes.failed), (BYTES, 0), "{sizes:?}");
            }
            let at_once = stats.too_large().map_or(0, |too_large| too_large.at_once);
            assert!(at_once <= 2, "{at_once}");
        }
    });
    let stats = pool.stats();
    let too_large = stats.too_large().expect("large requests");
    assert_eq!((too_large.requests, too_large.bytes), (2 * ROUNDS, 2 * ROUNDS * BYTES));
}

// A 32-bit process may have as much.
#[cfg(target_pointer_width = "64")]
#[test]
fn requests_that_nothing_can_serve_have_no_bytes() {
    let pool = pool(Config::new());
    let absurd = layout(isize::MAX as usize, 1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            // SAFETY: not of size 0; there is nothing to free.
            let all_fail = || unsafe { (0..3).all(|_| pool.alloc(absurd).is_null()) };
            assert!(scope.spawn(all_fail).join().unwrap());
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.bypassed(Bypass::TooLarge), stats.failed()), (6, 6));
    assert_eq!((stats.total_bytes(), stats.fallback_bytes()), (0, 0));
    let refused: Vec<_> = stats.refused().map(|sizes| (sizes.requests, sizes.bytes, sizes.failed)).collect();
    assert_eq!(refused, [(0, 0, 6)]);
}
