//! Checks of an allocator through its public functions, and a table of slots that suits them.

#![allow(dead_code, reason = "every test file compiles this module for itself and uses a part of it")]

#[path = "../../../common/mod.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout};

use framepool::{Class, Config, PoolAlloc, SlotState};

pub(crate) use common::{Block, Random, layout};

/// Slots that are small enough for a thread to have a magazine of each class from the start. There are more
/// of them than the magazines of all threads hold.
pub(crate) const CONFIG: Config = Config::new()
    .class(Class::Small, 1 << 10, SLOTS)
    .class(Class::Medium, 2 << 10, SLOTS)
    .class(Class::Large, 4 << 10, SLOTS)
    .class(Class::XLarge, 8 << 10, SLOTS);

const SLOTS: usize = 512;

/// A size that is larger than every slot.
pub(crate) const TOO_LARGE: usize = 9_000;

/// The layouts that fill a slot, one for each class.
pub(crate) fn layouts() -> [Layout; 4] {
    Class::ALL.map(|class| layout(CONFIG.slot_bytes(class), 8))
}

/// Makes an allocator that lives as long as the process, as its threads' places do.
pub(crate) fn pool<A>(fallback: A) -> &'static PoolAlloc<A> {
    Box::leak(Box::new(PoolAlloc::with_fallback(fallback, CONFIG)))
}

/// Returns whether the pools serve this thread. Makes one pair of requests.
pub(crate) fn is_pooled<A: GlobalAlloc + 'static>(pool: &'static PoolAlloc<A>) -> bool {
    let block = Block::take(pool, layout(1_000, 8), 1);
    let is_pooled = pool.owns(block.start);
    block.give();
    is_pooled
}

fn small_slots<A>(pool: &'static PoolAlloc<A>) -> Vec<SlotState> {
    let mut states = vec![SlotState::default(); SLOTS];
    assert_eq!(pool.slot_states(Class::Small, &mut states), SLOTS);
    states
}

/// Returns whether a slot that this thread frees goes into a magazine of its own, and comes from there. Makes
/// two pairs of requests.
///
/// No other thread may use the allocator meanwhile.
pub(crate) fn has_magazine<A: GlobalAlloc + 'static>(pool: &'static PoolAlloc<A>) -> bool {
    let block = Block::take(pool, layout(1_000, 8), 2);
    let start = block.start;
    let before = small_slots(pool);
    block.give();
    let after = small_slots(pool);
    let was_cached = before
        .into_iter()
        .zip(after)
        .any(|(before, after)| before == SlotState::Live && after == SlotState::Cached);
    let next = Block::take(pool, layout(1_000, 8), 3);
    let is_the_same = next.start == start;
    next.give();
    was_cached && is_the_same
}

/// The number of requests that a thread made, and of those that the pools served.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Served {
    pub(crate) requests: u64,
    pub(crate) pooled: u64,
}

/// Takes and gives blocks of all classes, at most six at a time. Panics if one of them has two owners.
pub(crate) fn hammer<A: GlobalAlloc + 'static>(pool: &'static PoolAlloc<A>, seed: u64) -> Served {
    let (mut random, mut served) = (Random(seed), Served::default());
    let mut held = Vec::new();
    for round in 0..3_000 {
        if held.len() < 6 {
            let layout = layouts()[random.below(4)];
            let block = Block::take(pool, layout, seed << 32 | round);
            served.requests += 1;
            served.pooled += u64::from(pool.owns(block.start));
            held.push(block);
        }
        if random.below(6) < held.len() {
            held.swap_remove(random.below(held.len())).give();
        }
    }
    held.into_iter().for_each(Block::give);
    served
}

/// Takes every slot of every class, and gives them back. Panics if one is missing.
pub(crate) fn take_all<A: GlobalAlloc + 'static>(pool: &'static PoolAlloc<A>) {
    for (class, layout) in Class::ALL.into_iter().zip(layouts()) {
        let slots = pool.stats().class(class).slots;
        let blocks: Vec<_> = (0..slots).map(|id| Block::take(pool, layout, id)).collect();
        let served = blocks.iter().filter(|block| pool.owns(block.start)).count();
        assert_eq!(served as u64, slots, "{class}: slots are lost");
        blocks.into_iter().for_each(Block::give);
    }
}

/// Panics unless every slot is free, and as many went back as were handed out.
pub(crate) fn assert_all_free<A>(pool: &'static PoolAlloc<A>) {
    for class in Class::ALL {
        let stats = pool.stats().class(class);
        assert_eq!((stats.in_use, stats.hits), (0, stats.returns), "{class}");
    }
}
