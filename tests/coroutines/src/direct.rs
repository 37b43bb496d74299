//! Coroutines that call `GlobalAlloc` themselves.
//!
//! A thread has its magazines with the first allocator that it uses. Nothing else in the process uses these,
//! so that is the allocator under check.

mod held;
mod mixed;
mod steady;

use std::alloc::{GlobalAlloc, Layout, System};

use framepool::PoolAlloc;

use crate::turns::CONFIG;

/// The checks that `tests/checks` runs, by number.
pub(crate) const CHECKS: [fn() -> Result<(), String>; 8] = [
    steady::allocated,
    steady::zeroed,
    steady::excepted,
    steady::grown,
    mixed::pairs,
    mixed::zeroed,
    mixed::reallocs,
    mixed::entered,
];

/// [`System`] under a type of its own for each allocator, so that each allocator has code of its own.
struct Named<const N: usize>;

// SAFETY: `System` keeps the contract.
unsafe impl<const N: usize> GlobalAlloc for Named<N> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

type Pool<const N: usize> = PoolAlloc<Named<N>>;

const fn pool<const N: usize>() -> Pool<N> {
    PoolAlloc::with_fallback(Named, CONFIG)
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}
