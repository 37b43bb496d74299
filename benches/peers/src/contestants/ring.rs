//! A thread's own stack of ready buffers of one size: what a program without an allocator would write by
//! hand.
//!
//! A take is a load and a decrement, a give is an increment and a store. The stack knows neither sizes nor
//! other threads, so it is the limit of what an allocator can reach, not a peer. A buffer that another thread
//! frees stays with that thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// The capacity of a stack in buffers: enough for the largest burst.
const PLACES: usize = 64;

/// The number of buffers that are ready, with their pages mapped, before the clock runs: more than any queue
/// holds.
const READY: usize = 32;

pub(crate) struct Ring;

struct Stack {
    held: Cell<usize>,
    places: [Cell<*mut u8>; PLACES],
}

thread_local! {
    static STACK: Stack = const { Stack { held: Cell::new(0), places: [const { Cell::new(null_mut()) }; PLACES] } };
}

/// Fills the calling thread's stack with buffers whose pages are mapped. Other threads allocate their buffers
/// on demand.
pub(crate) fn fill(bytes: usize) {
    let layout = Layout::array::<u8>(bytes).expect("the sizes are constants");
    for _ in 0..READY {
        // SAFETY: no workload has empty blocks.
        let buffer = unsafe { System.alloc(layout) };
        assert!(!buffer.is_null(), "out of memory for {bytes} bytes");
        // SAFETY: the buffer was just allocated with this size, and goes into this thread's stack, which no
        // other thread reaches.
        unsafe {
            buffer.write_bytes(1, bytes);
            Ring.dealloc(buffer, layout);
        }
    }
}

// SAFETY: a buffer is in one place of one thread's stack or with one caller. A process requests one size
// only, so every buffer that comes out fits, and came from `System` with the same layout.
unsafe impl GlobalAlloc for Ring {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        STACK.with(|stack| match stack.held.get().checked_sub(1) {
            Some(top) => {
                stack.held.set(top);
                stack.places[top].get()
            }
            // SAFETY: the caller's contract.
            None => unsafe { System.alloc(layout) },
        })
    }

    #[inline]
    unsafe fn dealloc(&self, buffer: *mut u8, layout: Layout) {
        STACK.with(|stack| match stack.places.get(stack.held.get()) {
            Some(place) => {
                place.set(buffer);
                stack.held.set(stack.held.get() + 1);
            }
            // SAFETY: every buffer came from `System`, with the only layout that this process uses.
            None => unsafe { System.dealloc(buffer, layout) },
        });
    }
}
