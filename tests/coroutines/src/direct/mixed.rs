//! Sixteen coroutines on four threads. Each thread resumes one of them at random, over and over.

use std::alloc::GlobalAlloc;

use framepool::{Class, Stats};

use super::held::Held;
use super::{Pool, layout, pool};
use crate::turns::{Body, Counts, ROUNDS, Yielder, check, mix};

/// Sizes of all lanes, and one that is too large.
const SIZES: [usize; 9] = [16, 1_000, 300, 2_000, 600, 4_000, 2_500, 8_000, 9_000];

/// The number of blocks that a coroutine holds at once.
const HELD: usize = 4;

/// Defines a coroutine that frees the oldest of its blocks, allocates another, and suspends, over and over.
///
/// It is a macro because only one place of one function may call an allocator.
macro_rules! pairs_body {
    ($name:ident, $pool:path, $alloc:ident, $is_right:expr) => {
        #[inline(never)]
        fn $name(yielder: &Yielder) -> Counts {
            let mut held: [Option<Held>; HELD] = [None; HELD];
            let mut counts = Counts::default();
            for round in 0..ROUNDS + HELD {
                if let Some(block) = held[round % HELD].take() {
                    // SAFETY: live, with this layout, and given up.
                    unsafe {
                        counts.broken += u64::from(!block.is_intact(usize::MAX));
                        $pool.dealloc(block.start, block.layout);
                    }
                }
                if round < ROUNDS {
                    let layout = layout(SIZES[round % SIZES.len()]);
                    // SAFETY: not empty; allocated with this layout.
                    unsafe {
                        let start = $pool.$alloc(layout);
                        counts.add($pool.owns(start), $is_right(start, layout.size()));
                        held[round % HELD] = Some(Held::new(start, layout));
                    }
                }
                yielder.suspend(0);
            }
            counts
        }
    };
}

static PAIRS: Pool<3> = pool();
pairs_body!(pairs_body, PAIRS, alloc, |start: *mut u8, _| !start.is_null());

pub(crate) fn pairs() -> Result<(), String> {
    hold(&PAIRS, pairs_body)
}

static ZEROED: Pool<4> = pool();
pairs_body!(zeroed_body, ZEROED, alloc_zeroed, |start: *mut u8, size| {
    !start.is_null() && [0, size / 2, size - 1].into_iter().all(|offset| *start.add(offset) == 0)
});

pub(crate) fn zeroed() -> Result<(), String> {
    hold(&ZEROED, zeroed_body)
}

/// Checks that every request was counted once, every slot is free, and no block had two owners.
fn hold<const N: usize>(pool: &'static Pool<N>, body: Body) -> Result<(), String> {
    let counts = mix(body);
    let stats = pool.stats();
    all_free(&stats, counts)?;
    check(stats.total_allocs() == counts.requests && stats.hits() == counts.pooled, || {
        format!("{counts:?}, but the allocator counted {} hits of {}", stats.hits(), stats.total_allocs())
    })?;
    check(counts.pooled > counts.requests / 2, || format!("{counts:?}: little came from the pools"))
}

fn all_free(stats: &Stats, counts: Counts) -> Result<(), String> {
    check(counts.broken == 0, || format!("{counts:?}"))?;
    for class in Class::ALL {
        let class = stats.class(class);
        check(class.in_use == 0 && class.hits == class.returns, || format!("{counts:?}, but {class:?}"))?;
    }
    Ok(())
}

static REALLOCS: Pool<5> = pool();

#[inline(never)]
fn reallocs_body(yielder: &Yielder) -> Counts {
    let mut counts = Counts::default();
    for round in 0..ROUNDS {
        let (old, new) = (SIZES[round % SIZES.len()], SIZES[(round / 2 + 1) % SIZES.len()]);
        // SAFETY: not empty; reallocated and freed once, with the layout that it has.
        unsafe {
            let start = REALLOCS.alloc(layout(old));
            let block = Held::new(start, layout(old));
            counts.add(REALLOCS.owns(start), !start.is_null());
            yielder.suspend(0);
            let start = REALLOCS.realloc(start, layout(old), new);
            let block = block.moved_to(start);
            counts.add(REALLOCS.owns(start), block.is_intact(new));
            yielder.suspend(0);
            REALLOCS.dealloc(start, layout(new));
        }
    }
    counts
}

/// Checks that every request was counted once: as a hit, as a request that the fallback served, or as a
/// reallocation that stayed in place.
pub(crate) fn reallocs() -> Result<(), String> {
    let counts = mix(reallocs_body);
    let stats = REALLOCS.stats();
    all_free(&stats, counts)?;
    let counted = stats.hits() + stats.fallbacks() + stats.reallocs_in_place();
    check(counted == counts.requests, || format!("{counts:?}, but the allocator counted {counted}"))
}

static ENTERED: Pool<6> = pool();

/// Enters `unpooled` on one thread and leaves it on another, and allocates inside and outside.
#[inline(never)]
fn entered_body(yielder: &Yielder) -> Counts {
    let mut counts = Counts::default();
    for round in 0..ROUNDS {
        let layout = layout(SIZES[round % SIZES.len()]);
        let turn = || {
            yielder.suspend(0);
            // SAFETY: not empty; allocated with this layout.
            unsafe { Held::new(ENTERED.alloc(layout), layout) }
        };
        let block = if round % 2 == 0 { turn() } else { ENTERED.unpooled(turn) };
        counts.add(ENTERED.owns(block.start), !block.start.is_null());
        yielder.suspend(0);
        // SAFETY: live, with this layout, and given up.
        unsafe {
            counts.broken += u64::from(!block.is_intact(usize::MAX));
            ENTERED.dealloc(block.start, block.layout);
        }
    }
    counts
}

/// Checks the requests that the pools served. Those inside `unpooled` are not counted.
pub(crate) fn entered() -> Result<(), String> {
    let counts = mix(entered_body);
    let stats = ENTERED.stats();
    all_free(&stats, counts)?;
    check(stats.hits() == counts.pooled, || {
        format!("{counts:?}, but the allocator counted {} hits", stats.hits())
    })
}
