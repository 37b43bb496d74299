//! rpmalloc, with `realloc`, which its usual Rust wrapper implements as allocate, copy and free.
//!
//! The library starts a thread's heap by itself, on the thread's first call.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

/// The alignment that the C allocators guarantee by default on 64-bit machines.
const USUAL_ALIGN: usize = 16;

pub(crate) struct RpMalloc;

// SAFETY: each method is the C function with the same contract. Sizes are above zero and alignments powers of two, as
// `GlobalAlloc` requires. To alignments of 64 KiB and more, rpmalloc answers null.
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
        // SAFETY: the caller's contract says that this is a live block of this allocator.
        unsafe { rpmalloc_sys::rpfree(block.cast::<c_void>()) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let align = layout.align().max(USUAL_ALIGN);
        // SAFETY: as for `dealloc`. A failure returns null and leaves the block unchanged.
        unsafe { rpmalloc_sys::rpaligned_realloc(block.cast(), align, bytes, layout.size(), 0).cast() }
    }
}
