//! `GlobalAlloc`: where each call goes.
//!
//! The layout decides where an allocation goes, and the address decides where a free goes (P1). So a block
//! goes back to the allocator that served it, regardless of its layout. Nothing here blocks or panics. No
//! lock and no gate is held across a call into the fallback.

use core::alloc::{GlobalAlloc, Layout};

use super::PoolAlloc;
use crate::pools::Pools;
use crate::tunables::REFUSED_FROM;

// SAFETY:
// - Nothing unwinds: nothing below panics, and misuse aborts.
// - A block is a slot or one of the fallback's. The choice of the class makes a slot aligned and large enough
//   for its layout. It is this caller's alone from the moment that the set let go of it until `give`. The
//   fallback keeps the contract for its own blocks. It gets back exactly those, because the address tells: it
//   is inside the reservation, or it is not.
// - None of this relies on what `stats` and the like read.
// Coroutines suspend between two calls and go on on another thread. The compiler takes the address of a
// thread-local for a constant of the function. A function inlined into a coroutine may keep that address over
// the suspension. So a function that reads a thread-local is never inlined there.
unsafe impl<A: GlobalAlloc + 'static> GlobalAlloc for PoolAlloc<A> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.allocate::<false>(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if self.pools.spans(ptr) {
            // SAFETY: the caller's contract.
            unsafe { self.dealloc_slot(ptr, layout) }
        } else if layout.size() < REFUSED_FROM {
            // SAFETY: not of the pools, so of the fallback, with the layout that it was allocated with.
            self.call_fallback(|fallback| unsafe { fallback.dealloc(ptr, layout) });
        } else {
            // SAFETY: as above.
            unsafe { self.dealloc_big(ptr, layout) }
        }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.allocate::<true>(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.pools.spans(ptr) {
            // SAFETY: the caller's contract: `new_size`, rounded up to the alignment, does not overflow.
            let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
            // SAFETY: the caller's contract.
            unsafe { self.realloc_slot(ptr, layout, new_layout) }
        } else {
            // SAFETY: not of the pools, so of the fallback; the rest is the caller's contract.
            unsafe { self.realloc_fallback(ptr, layout, new_size) }
        }
    }
}

/// A reference serves as the allocator does, so another allocator can wrap it.
// SAFETY: every call is passed on unchanged.
unsafe impl<A: GlobalAlloc + 'static> GlobalAlloc for &PoolAlloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { (**self).alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { (**self).dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { (**self).alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { (**self).realloc(ptr, layout, new_size) }
    }
}

/// The parts of `dealloc` that are too long or too rare for it. All `unsafe fn` have `GlobalAlloc`'s contract.
impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// Frees a block of the fallback of at least [`REFUSED_FROM`] bytes.
    #[inline(never)]
    unsafe fn dealloc_big(&self, ptr: *mut u8, layout: Layout) {
        self.pools.too_large_block_ends(layout.size());
        // SAFETY: the caller's contract.
        self.call_fallback(|fallback| unsafe { fallback.dealloc(ptr, layout) });
    }

    /// Frees a slot. Out of line, so that a free of the fallback's block does not set up what this needs.
    #[inline(never)]
    unsafe fn dealloc_slot(&self, ptr: *mut u8, layout: Layout) {
        let metadata = self.pools.metadata();
        let Some((found, cell)) = self.pools.find_fast(metadata, ptr, layout) else {
            // SAFETY: the caller's contract.
            return unsafe { self.dealloc_slow(ptr, layout) };
        };
        if !Pools::give_cached(metadata, found, cell) {
            // SAFETY: just found, and the caller gives it up.
            unsafe { self.dealloc_found(ptr) }
        }
    }

    #[inline(never)]
    unsafe fn dealloc_slow(&self, ptr: *mut u8, layout: Layout) {
        if self.pools.is_recording() {
            // SAFETY: the caller's contract.
            return unsafe { self.dealloc_recorded(ptr, layout) };
        }
        self.pools.find(ptr, layout);
        // SAFETY: just found, and the caller gives it up.
        unsafe { self.dealloc_found(ptr) }
    }

    /// Frees a block during a recording, when blocks of the fallback come here too.
    #[cold]
    unsafe fn dealloc_recorded(&self, ptr: *mut u8, layout: Layout) {
        self.pools.recorded_free(ptr, layout, self.is_in_fallback(), || {
            if self.pools.is_ours(ptr) {
                self.pools.find(ptr, layout);
                // SAFETY: just found, and the caller gives it up.
                unsafe { self.dealloc_found(ptr) }
            } else {
                // SAFETY: not of the pools, so of the fallback, with the layout that it was allocated with.
                unsafe { self.dealloc_big(ptr, layout) }
            }
        });
    }

    /// Frees a slot that was found. Takes only its address, so that a function that tail-calls this has a
    /// register left.
    #[inline(never)]
    unsafe fn dealloc_found(&self, ptr: *mut u8) {
        // SAFETY: the caller's contract.
        unsafe { self.pools.give(self.tally(), self.pools.live_slot_at(ptr)) }
    }
}
