//! Coroutines that suspend inside `unpooled` and end in another order than they began, without a line of
//! unsafe code.

#![forbid(unsafe_code)]

mod alone;

use std::cell::Cell;
use std::hint::black_box;
use std::{mem, thread};

use alone::alone;
use corosensei::{Coroutine, CoroutineResult};
use framepool::{Class, PoolAlloc, SlotState};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

/// The number of slots of the class that the tests look at.
const SLOTS: usize = 32;

type Suspended = Coroutine<(), (), ()>;

/// A block that fills most of a Large slot. Nothing else in this process asks for such a size.
fn block() -> Box<[u8]> {
    black_box(vec![1_u8; 200_000].into_boxed_slice())
}

fn is_pooled() -> bool {
    ALLOC.owns(block().as_ptr())
}

fn large_slots() -> [SlotState; SLOTS] {
    let mut states = [SlotState::default(); SLOTS];
    assert_eq!(ALLOC.slot_states(Class::Large, &mut states), SLOTS);
    states
}

/// Frees a block, and returns the state that its slot has then.
fn freed_slot() -> SlotState {
    let block = block();
    let before = large_slots();
    drop(block);
    let after = large_slots();
    let changed: Vec<_> = (0..SLOTS).filter(|&slot| before[slot] != after[slot]).collect();
    let was_live = |slot: &&usize| before[**slot] == SlotState::Live;
    after[*changed.iter().find(was_live).expect("the block lived in a slot")]
}

/// Panics unless the pools serve this thread out of a magazine of its own, and count that exactly.
fn assert_all_is_well() {
    let before = ALLOC.stats();
    // A thread gets a magazine of Large slots after 16 visits to their set.
    (0..40).for_each(|_| assert!(is_pooled(), "this thread's requests go to the fallback"));
    assert_eq!(freed_slot(), SlotState::Cached, "this thread has lost its magazines");
    let class = ALLOC.stats().since(&before).class(Class::Large);
    assert_eq!((class.hits, class.returns, class.misses), (41, 41, 0));
    assert_eq!(ALLOC.stats().class(Class::Large).in_use, 0);
}

/// Starts a coroutine and returns it suspended inside `unpooled`.
fn suspended() -> Suspended {
    let mut coroutine = Coroutine::new(|yielder, ()| ALLOC.unpooled(|| yielder.suspend(())));
    assert_eq!(coroutine.resume(()), CoroutineResult::Yield(()));
    coroutine
}

/// Resumes a coroutine that ends, and unmaps its stack.
fn end(mut coroutine: Suspended) {
    assert_eq!(coroutine.resume(()), CoroutineResult::Return(()));
}

#[test]
fn the_first_to_suspend_inside_unpooled_ends_first_and_its_stack_goes() {
    alone(the_first_to_suspend_inside_unpooled_ends_first_and_its_stack_goes, || {
        assert_all_is_well();
        let (a, b) = (suspended(), suspended());
        end(a);
        end(b);
        assert_all_is_well();
    });
}

#[test]
fn a_thread_is_inside_until_the_last_of_its_coroutines_has_left() {
    alone(a_thread_is_inside_until_the_last_of_its_coroutines_has_left, || {
        let (a, b, c) = (suspended(), suspended(), suspended());
        for coroutine in [b, a, c] {
            assert!(!is_pooled());
            end(coroutine);
        }
        assert_all_is_well();
    });
}

#[test]
fn the_last_to_suspend_inside_unpooled_ends_first() {
    alone(the_last_to_suspend_inside_unpooled_ends_first, || {
        assert_all_is_well();
        let (a, b) = (suspended(), suspended());
        end(b);
        assert!(!is_pooled(), "A is still inside");
        end(a);
        assert_all_is_well();
    });
}

#[test]
fn unpooled_around_a_coroutine_that_entered_before_it() {
    alone(unpooled_around_a_coroutine_that_entered_before_it, || {
        assert_all_is_well();
        let a = suspended();
        ALLOC.unpooled(|| {
            end(a);
            assert!(!is_pooled(), "this thread is still inside");
        });
        assert_all_is_well();
    });
}

#[test]
fn a_coroutine_that_enters_inside_unpooled_and_leaves_after_it() {
    alone(a_coroutine_that_enters_inside_unpooled_and_leaves_after_it, || {
        assert_all_is_well();
        let a = ALLOC.unpooled(suspended);
        assert!(!is_pooled(), "the coroutine is still inside");
        end(a);
        assert_all_is_well();
    });
}

#[test]
fn coroutines_dropped_inside_unpooled_unwind_out_of_it_in_either_order() {
    alone(coroutines_dropped_inside_unpooled_unwind_out_of_it_in_either_order, || {
        assert_all_is_well();
        for drops_the_first_first in [true, false] {
            let (a, b) = (suspended(), suspended());
            let (first, second) = if drops_the_first_first { (a, b) } else { (b, a) };
            drop(first);
            assert!(!is_pooled(), "the other one is still inside");
            drop(second);
            assert_all_is_well();
        }
    });
}

#[test]
fn a_panic_inside_unpooled_ends_one_coroutine_and_not_the_other() {
    alone(a_panic_inside_unpooled_ends_one_coroutine_and_not_the_other, || {
        assert_all_is_well();
        let mut a = Coroutine::<(), (), ()>::new(|yielder, ()| {
            ALLOC.unpooled(|| {
                yielder.suspend(());
                std::panic::resume_unwind(Box::new(()));
            });
        });
        a.resume(());
        let b = suspended();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| a.resume(())));
        assert!(caught.is_err());
        drop(a);
        assert!(!is_pooled(), "B is still inside");
        end(b);
        assert_all_is_well();
    });
}

/// The thread stays inside for the rest of its life.
#[test]
fn a_leaked_coroutine_leaves_its_thread_inside_and_no_other() {
    alone(a_leaked_coroutine_leaves_its_thread_inside_and_no_other, || {
        assert_all_is_well();
        let inside = || {
            assert_all_is_well();
            let (a, b) = (suspended(), suspended());
            mem::forget(a);
            end(b);
            assert!(!is_pooled(), "A is inside, and never leaves");
            end(suspended());
            ALLOC.unpooled(|| assert!(!is_pooled()));
            assert!(!is_pooled());
        };
        thread::spawn(inside).join().unwrap();
        assert_all_is_well();
        thread::spawn(assert_all_is_well).join().unwrap();
    });
}

#[test]
fn a_thread_exits_with_coroutines_inside_unpooled_that_its_destructors_unwind() {
    alone(a_thread_exits_with_coroutines_inside_unpooled_that_its_destructors_unwind, || {
        thread_local!(static KEPT: Cell<Option<(Suspended, Suspended)>> = const { Cell::new(None) });
        assert_all_is_well();
        let live = || large_slots().into_iter().filter(|&state| state == SlotState::Live).count();
        for _ in 0..20 {
            let exits_inside = || {
                let kept = block();
                KEPT.set(Some((suspended(), suspended())));
                drop(kept);
                assert!(!is_pooled());
            };
            thread::spawn(exits_inside).join().unwrap();
            assert_eq!(live(), 0);
        }
        assert_all_is_well();
        let all: Vec<_> = (0..SLOTS).map(|_| block()).collect();
        assert!(all.iter().all(|block| ALLOC.owns(block.as_ptr())), "a slot is lost");
    });
}

/// The C library gives a new thread the memory of one that has exited, thread-locals included.
#[test]
fn the_next_thread_starts_outside() {
    alone(the_next_thread_starts_outside, || {
        for _ in 0..20 {
            thread::spawn(|| mem::forget(suspended())).join().unwrap();
            thread::spawn(assert_all_is_well).join().unwrap();
        }
        assert_all_is_well();
    });
}
