//! Frames that end out of order, as those of coroutines do, and on other threads.

use std::sync::Barrier;

use super::*;
use crate::config::Config;
use crate::pools::Pools;

/// Returns the address of an allocator that does not exist: only its address matters.
fn allocator(n: usize) -> *const () {
    core::ptr::without_provenance(4096 + 64 * n)
}

fn enter(n: usize) -> FallbackFrame {
    FallbackFrame::enter(allocator(n))
}

/// Returns which of the first `allocators` allocators this thread is inside of.
fn inside(allocators: usize) -> Vec<usize> {
    (0..allocators).filter(|&n| is_inside(allocator(n))).collect()
}

/// Runs `f` on a thread that has a place with pools of its own, and checks that it has the place again
/// afterwards.
fn with_a_place(f: impl FnOnce(&'static Pools) + Send + 'static) {
    let work = move || {
        let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
        pools.prepare(&std::alloc::System);
        assert!(pools.own().is_some());
        f(pools);
        assert!(pools.own().is_some(), "the thread has lost its place");
    };
    std::thread::spawn(work).join().unwrap();
}

#[test]
fn frames_may_end_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        with_a_place(move |pools| {
            let mut frames = [0, 1, 0].map(|n| Some(enter(n)));
            for (ended, frame) in order.into_iter().enumerate() {
                assert!(pools.own().is_none(), "inside, a thread has no place");
                frames[frame] = None;
                let left: Vec<_> =
                    (0..2).filter(|&n| (0..3).any(|i| i % 2 == n && frames[i].is_some())).collect();
                assert_eq!(inside(3), left, "{order:?} after {ended}");
            }
        });
    }
}

#[test]
fn a_frame_that_ends_on_another_thread_changes_nothing_there() {
    let begun = std::thread::spawn(|| (enter(0), enter(1))).join().unwrap();
    // This thread is inside one of them by a frame of its own.
    with_a_place(move |pools| {
        let own = enter(1);
        drop(begun);
        assert_eq!(inside(2), [1]);
        assert!(pools.own().is_none());
        drop(own);
        assert_eq!(inside(2), []);
    });
}

#[test]
fn the_thread_on_which_a_frame_began_stays_inside() {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let first = scope.spawn(move || {
            tell.send(enter(0)).unwrap();
            // Repeats until the receiver is gone, and the frame with it.
            while tell.send(enter(1)).is_ok() {
                std::thread::yield_now();
            }
            assert!(is_inside(allocator(0)) && !is_inside(allocator(2)));
        });
        scope.spawn(move || {
            drop(told.recv());
            drop(told);
        });
        first.join().unwrap();
    });
}

/// By the time the frame ends on a second thread, the first thread's place belongs to that one or to a third.
#[test]
fn a_frame_that_outlives_its_thread_takes_no_place_from_the_next_owner() {
    with_a_place(|pools| {
        let place = move || {
            pools.prepare(&std::alloc::System);
            pools.own().map(|own| pools.metadata().place_of(own.state()))
        };
        let first = std::thread::spawn(move || (place(), enter(0)));
        let (first_place, frame) = first.join().unwrap();
        static STEPS: Barrier = Barrier::new(2);
        let third = std::thread::spawn(move || {
            let before = place();
            STEPS.wait();
            STEPS.wait();
            (before, place())
        });
        let second = std::thread::spawn(move || {
            let before = place();
            STEPS.wait();
            drop(frame);
            STEPS.wait();
            (before, place())
        });
        let (second, third) = (second.join().unwrap(), third.join().unwrap());
        assert!(
            [second.0, third.0].contains(&first_place),
            "the second or the third thread has the first one's place"
        );
        assert!(second.0.is_some() && third.0.is_some() && second.0 != third.0);
        assert_eq!((second.0, third.0), (second.1, third.1));
    });
}

#[test]
fn more_allocators_than_rows_are_all_counted_as_inside() {
    with_a_place(|pools| {
        let all = 3 * NESTED_ALLOCATORS;
        let mut frames: Vec<_> = (0..all).map(|n| Some(enter(n))).collect();
        assert_eq!(inside(all), (0..all).collect::<Vec<_>>());
        // The frames with rows end first, so that a later allocator gets a row.
        frames[..NESTED_ALLOCATORS].iter_mut().for_each(|frame| *frame = None);
        let late = enter(all - 1);
        assert_eq!(inside(all), (0..all).collect::<Vec<_>>(), "some are not listed");
        frames.clear();
        assert_eq!(inside(all), [all - 1]);
        assert!(pools.own().is_none());
        drop(late);
        assert_eq!(inside(all), []);
    });
}
