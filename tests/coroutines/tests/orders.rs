//! One thread, several coroutines inside `unpooled` of several allocators, and every order in which they can
//! enter and leave.

mod alone;
mod probe;
mod workers;

use std::alloc::System;
use std::mem;

use alone::alone;
use framepool::{Class, Config, PoolAlloc};
use probe::{Block, Random, assert_all_free, has_magazine, is_pooled, layout, pool, take_all};
use workers::{Moving, Yielder};

type Pool = &'static PoolAlloc;

/// Enters `unpooled` of two allocators, one inside the other, and suspends after each step but the last.
fn nested([outer, inner]: [Pool; 2]) -> impl FnOnce(&Yielder) {
    move |yielder| {
        outer.unpooled(|| {
            yielder.suspend(());
            inner.unpooled(|| yielder.suspend(()));
            yielder.suspend(());
        });
    }
}

/// The depths in the two allocators that a coroutine enters, after each number of resumes.
const DEPTHS: [[usize; 2]; 5] = [[0, 0], [1, 0], [1, 1], [1, 0], [0, 0]];
const STEPS: usize = DEPTHS.len() - 1;

/// Calls `play` with every order of the steps of three coroutines, which have `left` steps each.
fn every_order(left: [usize; 3], order: &mut Vec<usize>, play: &mut impl FnMut(&[usize])) {
    if left == [0; 3] {
        return play(order);
    }
    for next in 0..3 {
        if left[next] > 0 {
            let mut left = left;
            left[next] -= 1;
            order.push(next);
            every_order(left, order, play);
            order.pop();
        }
    }
}

fn permutations() -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    every_order([1; 3], &mut Vec::new(), &mut |order| all.push(order.to_vec()));
    all
}

#[test]
fn three_coroutines_enter_and_leave_two_allocators_in_every_order() {
    alone(three_coroutines_enter_and_leave_two_allocators_in_every_order, || {
        let (x, y): (Pool, Pool) = (pool(System), pool(System));
        assert!(has_magazine(x) && is_pooled(y));
        let pairs = [[x, y], [y, x], [x, x]];
        let mut orders = 0;
        every_order([STEPS; 3], &mut Vec::new(), &mut |order| {
            orders += 1;
            // All of them, 34,650, take half a minute without optimization.
            if cfg!(debug_assertions) && orders % 23 != 0 {
                return;
            }
            let mut coroutines: [Option<Moving>; 3] = [const { None }; 3];
            let mut steps = [0; 3];
            for &next in order {
                steps[next] += 1;
                match coroutines[next].take() {
                    None => coroutines[next] = Some(Moving::start(nested(pairs[next]))),
                    Some(coroutine) if steps[next] == STEPS => coroutine.end(),
                    Some(mut coroutine) => {
                        coroutine.go_on();
                        coroutines[next] = Some(coroutine);
                    }
                }
                for pool in [x, y] {
                    let inside = (0..3).any(|coroutine| {
                        pairs[coroutine]
                            .into_iter()
                            .zip(DEPTHS[steps[coroutine]])
                            .any(|(entered, depth)| std::ptr::eq(entered, pool) && depth > 0)
                    });
                    assert_eq!(is_pooled(pool), !inside, "after {steps:?} steps in the order {order:?}");
                }
            }
            assert!(has_magazine(x), "after {order:?}");
        });
        assert_eq!(orders, 34_650);
        for pool in [x, y] {
            take_all(pool);
            assert_all_free(pool);
            assert_eq!(pool.stats().fallbacks(), 0);
        }
    });
}

#[test]
fn three_coroutines_end_or_are_dropped_in_every_order() {
    alone(three_coroutines_end_or_are_dropped_in_every_order, || {
        let (x, y): (Pool, Pool) = (pool(System), pool(System));
        assert!(has_magazine(x) && is_pooled(y));
        let pairs = [[x, y], [y, x], [x, y]];
        for order in permutations() {
            for dropped in 0..8 {
                let mut coroutines = pairs.map(|pools| {
                    let mut coroutine = Moving::start(nested(pools));
                    coroutine.go_on();
                    Some(coroutine)
                });
                for &next in &order {
                    assert!(!is_pooled(x) && !is_pooled(y), "{order:?}");
                    let mut coroutine = coroutines[next].take().unwrap();
                    if dropped & (1 << next) == 0 {
                        coroutine.go_on();
                        coroutine.end();
                    }
                }
                assert!(has_magazine(x) && is_pooled(y), "{order:?}, {dropped:b} of them dropped");
            }
        }
        [x, y].into_iter().for_each(take_all);
    });
}

#[test]
fn a_leaked_coroutine_holds_only_the_allocators_that_it_is_inside() {
    alone(a_leaked_coroutine_holds_only_the_allocators_that_it_is_inside, || {
        let (x, y): (Pool, Pool) = (pool(System), pool(System));
        assert!(has_magazine(x) && is_pooled(y));
        for order in permutations() {
            let mut coroutines = [[y, y], [x, y], [y, x]].map(|pools| Some(Moving::start(nested(pools))));
            for &next in &order {
                let mut coroutine = coroutines[next].take().unwrap();
                if next == 0 {
                    mem::forget(coroutine);
                } else {
                    coroutine.go_on();
                    coroutine.go_on();
                    coroutine.end();
                }
            }
            // While a thread is inside one allocator, all other allocators serve it from their sets.
            assert!(is_pooled(x) && !is_pooled(y), "{order:?}");
            x.unpooled(|| assert!(!is_pooled(x)));
            y.unpooled(|| assert!(is_pooled(x) && !is_pooled(y)));
        }
        take_all(x);
    });
}

/// More allocators than a thread-local table has room for.
const MANY: usize = 100;
const TINY: Config = Config::new()
    .class(Class::Small, 1 << 10, 16)
    .class(Class::Medium, 2 << 10, 16)
    .class(Class::Large, 4 << 10, 16)
    .class(Class::XLarge, 8 << 10, 16);

fn many() -> Vec<Pool> {
    (0..MANY).map(|_| &*Box::leak(Box::new(PoolAlloc::with_config(TINY)))).collect()
}

/// Panics unless every allocator serves this thread, and `unpooled` of one does not affect the next. The
/// first allocator is the one that this thread has a place with.
fn assert_all_serve(pools: &[Pool]) {
    for (pool, other) in pools.iter().zip(pools.iter().cycle().skip(1)) {
        assert!(is_pooled(pool));
        pool.unpooled(|| assert!(!is_pooled(pool) && is_pooled(other)));
        assert!(is_pooled(pool));
        assert_all_free(pool);
    }
    let before = pools[0].stats();
    let starts = [1, 2].map(|id| {
        let block = Block::take(pools[0], layout(1_000, 8), id);
        let start = block.start;
        block.give();
        start
    });
    assert_eq!(starts[0], starts[1], "this thread has lost its magazines");
    assert_eq!(pools[0].stats().since(&before).hits(), 2);
}

#[test]
fn a_thread_is_inside_a_hundred_allocators_one_inside_the_other() {
    fn enter(pools: &'static [Pool], inside: usize) {
        // Each block has one owner, whether it is a slot or comes from the fallback.
        let blocks: Vec<_> =
            pools.iter().map(|pool| Block::take(*pool, layout(1_000, 8), inside as u64)).collect();
        if let Some(next) = pools.get(inside) {
            next.unpooled(|| enter(pools, inside + 1));
        }
        blocks.into_iter().for_each(Block::give);
    }

    alone(a_thread_is_inside_a_hundred_allocators_one_inside_the_other, || {
        let pools = many().leak();
        assert_all_serve(pools);
        for _ in 0..3 {
            // Takes 101 blocks of each allocator at once: more than it has slots.
            enter(pools, 0);
            assert_all_serve(pools);
        }
    });
}

#[test]
fn a_thread_is_inside_a_hundred_allocators_that_its_coroutines_leave_in_any_order() {
    alone(a_thread_is_inside_a_hundred_allocators_that_its_coroutines_leave_in_any_order, || {
        let pools = many();
        assert_all_serve(&pools);
        let mut random = Random(7);
        for round in 0..10 {
            let mut coroutines: Vec<_> = (0..MANY)
                .map(|number| {
                    let other = pools[random.below(MANY)];
                    let mut coroutine = Moving::start(nested([pools[number], other]));
                    if random.below(2) == 0 {
                        coroutine.go_on();
                    }
                    coroutine
                })
                .collect();
            while !coroutines.is_empty() {
                let next = random.below(coroutines.len());
                if random.below(8) == 0 {
                    // The coroutine unwinds.
                    drop(coroutines.swap_remove(next));
                } else if coroutines[next].step() {
                    drop(coroutines.swap_remove(next));
                }
                let pool = pools[random.below(MANY)];
                Block::take(pool, layout(1_000, 8), round).give();
            }
            assert_all_serve(&pools);
        }
    });
}
