//! Tests that std's own collections live in a `BufferPool`, with a nightly compiler.

#![cfg(test)]
#![feature(allocator_api)]

use std::collections::VecDeque;

use framepool::{BufferPool, Class, Config};

const FRAME: usize = 1_382_400;

#[test]
fn collections_of_std_live_in_slots() {
    let pool = BufferPool::with_config(Config::new().class(Class::XLarge, FRAME, 2));
    let mut frame: Vec<u8, _> = Vec::with_capacity_in(FRAME, pool.clone());
    frame.resize(FRAME, 7);
    let mut queue = VecDeque::new_in(&pool);
    (0..100_u64).for_each(|n| queue.push_back(n));
    let boxed = Box::new_in([0_u64; 100], &pool);
    assert!(pool.owns(frame.as_ptr()) && pool.owns((&raw const *boxed).cast()));
    assert!(pool.owns(queue.as_slices().0.as_ptr().cast()));
    drop((frame, queue, boxed));
    assert!(Class::ALL.iter().all(|&class| pool.stats().class(class).in_use == 0));
}

#[test]
fn the_trait_is_allocator_api2s_too() {
    fn is_allocator(_: &impl allocator_api2::alloc::Allocator) {}
    is_allocator(&BufferPool::new());
}
