//! Coroutines that use `Box` and `Vec`, with the library's own `#[global_allocator]`.

use std::hint::black_box;

use framepool::{Class, PoolAlloc};

use crate::turns::{Body, CONFIG, Counts, ROUNDS, Yielder, check, mix};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::with_config(CONFIG);

/// The checks that `tests/checks` runs, by number.
pub(crate) const CHECKS: [fn() -> Result<(), String>; 3] =
    [|| quiet(boxes_body), || quiet(zeros_body), || quiet(growth_body)];

/// The classes that only the coroutines use.
const CLASSES: [Class; 2] = [Class::Large, Class::XLarge];

#[inline(never)]
fn boxes_body(yielder: &Yielder) -> Counts {
    let mut counts = Counts::default();
    for round in 0..ROUNDS {
        let id = round as u8;
        let block = black_box(Box::new([id; 3_000]));
        yielder.suspend(0);
        counts.add(ALLOC.owns(block.as_ptr()), block[0] == id && block[2_999] == id);
        drop(block);
        let block = black_box(Box::new([id; 6_000]));
        yielder.suspend(0);
        counts.add(ALLOC.owns(block.as_ptr()), block[0] == id && block[5_999] == id);
    }
    counts
}

#[inline(never)]
fn zeros_body(yielder: &Yielder) -> Counts {
    let mut counts = Counts::default();
    for round in 0..ROUNDS {
        let mut block = black_box(vec![0_u8; 2_500 + round % 5_000]);
        let is_right = block[0] == 0 && block[2_499] == 0;
        block.fill(1 + round as u8 % 200);
        yielder.suspend(0);
        counts.add(ALLOC.owns(block.as_ptr()), is_right && block[2_499] == 1 + round as u8 % 200);
    }
    counts
}

/// Grows vectors out of their slots, so that each growth is a request of its own.
#[inline(never)]
fn growth_body(yielder: &Yielder) -> Counts {
    let mut counts = Counts::default();
    for round in 0..ROUNDS {
        let mut block = black_box(Vec::with_capacity(3_000));
        block.resize(3_000, round as u8);
        counts.add(ALLOC.owns(block.as_ptr()), true);
        yielder.suspend(0);
        block.reserve_exact(3_000);
        counts.add(ALLOC.owns(black_box(&block).as_ptr()), block == [round as u8; 3_000]);
        yielder.suspend(0);
    }
    counts
}

/// Checks that every block of the pools was counted once, every slot is free, and no block had two owners.
fn quiet(body: Body) -> Result<(), String> {
    let before = ALLOC.stats();
    let counts = mix(body);
    let stats = ALLOC.stats().since(&before);
    let sum =
        |of: fn(&framepool::ClassStats) -> u64| CLASSES.map(|class| of(&stats.class(class))).iter().sum();
    let (hits, returns): (u64, u64) = (sum(|class| class.hits), sum(|class| class.returns));
    check(counts.broken == 0 && hits == returns && hits == counts.pooled, || {
        format!("{counts:?}, but the allocator counted {hits} hits and {returns} returns")
    })?;
    check(counts.pooled > counts.requests / 2, || format!("{counts:?}: little came from the pools"))
}
