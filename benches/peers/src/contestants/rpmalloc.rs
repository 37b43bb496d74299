//! rpmalloc, with the `realloc` that its usual Rust wrapper leaves to allocate, copy and free.
//!
//! Its library starts each thread's heap by itself, on the thread's first call.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

/// What the C allocators align to by themselves on 64-bit machines.
const USUAL_ALIGN: usize = 16;

pub(crate) struct RpMalloc;

// SAFETY: each method is the C function that has its contract. Sizes are above zero, as `GlobalAlloc` demands, and alignments
// are powers of two below the 64 KiB that rpmalloc takes: the workloads ask for byte buffers only.
unsafe impl GlobalAlloc for RpMalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        unsafe { rpmalloc_sys::rpaligned_alloc(layout.align(), layout.size()).cast() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        unsafe { rpmalloc_sys::rpaligned_calloc(layout.align(), 1, layout.size()).cast() }
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller's contract: a live block of this allocator.
        unsafe { rpmalloc_sys::rpfree(block.cast::<c_void>()) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let align = layout.align().max(USUAL_ALIGN);
        // SAFETY: as `dealloc`; a failure returns null and leaves the block alone.
        unsafe { rpmalloc_sys::rpaligned_realloc(block.cast(), align, bytes, layout.size(), 0).cast() }
    }
}
