//! `GlobalAlloc`: where each call goes.
//!
//! The layout decides where an allocation goes, and the address decides where a free goes (P1). So a block
//! goes back to the allocator that served it, regardless of its layout. Nothing here blocks or panics. No
//! lock and no gate is held across a call into the fallback.

use core::alloc::{GlobalAlloc, Layout};

use super::PoolAlloc;
use crate::pools::{NoRoute, Pools, cold_path, has_malloc_alignment};
use crate::slots::lane::Lane;
use crate::stats::counters::FallbackReason;
use crate::thread::current::StateGuard;
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
        let (pools, size) = (&self.pools, layout.size());
        let Some((guard, metadata)) = pools.enter() else {
            // SAFETY: the caller's contract.
            return unsafe { self.alloc_slow(layout) };
        };
        if pools.is_tiny(layout) {
            if has_malloc_alignment(layout)
                && let Some(reason) = pools.tiny_bypass(&guard, metadata, layout)
            {
                guard.rest().count_fallback(reason, size);
                drop(guard);
                // SAFETY: the caller's contract.
                return self.call_fallback(|fallback| unsafe { fallback.alloc(layout) });
            }
            cold_path();
        }
        match pools.route(layout) {
            Ok(lane) => match Pools::take_cached(&guard, metadata, lane, size) {
                Some(start) => start,
                // SAFETY: the caller's contract.
                None => unsafe { self.alloc_from_empty_magazine(layout, lane, guard) },
            },
            Err(NoRoute::Fallback(reason)) => {
                if size >= REFUSED_FROM {
                    drop(guard);
                    // SAFETY: the caller's contract.
                    return unsafe { self.alloc_big(layout, reason) };
                }
                guard.rest().count_fallback(reason, size);
                drop(guard);
                // SAFETY: the caller's contract.
                unsafe { self.fall_back(layout) }
            }
            Err(NoRoute::NeedsSlowPath) => {
                drop(guard);
                // SAFETY: the caller's contract.
                unsafe { self.alloc_slow(layout) }
            }
        }
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
        if let Some((guard, metadata)) = self.pools.enter()
            && let Ok(lane) = self.pools.route(layout)
            && let Some(block) = Pools::take_cached_zeroed(&guard, metadata, lane, layout.size())
        {
            drop(guard);
            // SAFETY: a block of this layout that was taken just now.
            return unsafe { block.zeroed(layout) };
        }
        // SAFETY: the caller's contract.
        unsafe { self.alloc_zeroed_slow(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract: `new_size`, rounded up to the alignment, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if self.pools.spans(ptr) {
            // SAFETY: the caller's contract.
            unsafe { self.realloc_slot(ptr, layout, new_layout) }
        } else {
            // SAFETY: not of the pools, so of the fallback; the rest is the caller's contract.
            unsafe { self.realloc_fallback(ptr, layout, new_layout) }
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

/// The parts of the calls above that are too long or too rare for them. All `unsafe fn` have `GlobalAlloc`'s
/// contract.
impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// Calls the fallback's `alloc`.
    ///
    /// `System` starts with the same question. It needs a stack frame for the second answer, which hits must
    /// not set up.
    #[inline(always)]
    unsafe fn fall_back(&self, layout: Layout) -> *mut u8 {
        if has_malloc_alignment(layout) {
            // SAFETY: the caller's contract.
            self.call_fallback(|fallback| unsafe { fallback.alloc(layout) })
        } else {
            // SAFETY: the caller's contract.
            unsafe { self.fall_back_aligned(layout) }
        }
    }

    #[inline(never)]
    unsafe fn fall_back_aligned(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.call_fallback(|fallback| unsafe { fallback.alloc(layout) })
    }

    /// Allocates from a lane of which this thread has nothing cached. If the lane has no slot at all, the
    /// request goes to the fallback at once.
    #[inline(never)]
    unsafe fn alloc_from_empty_magazine(&self, layout: Layout, lane: Lane, guard: StateGuard) -> *mut u8 {
        if layout.size() >= REFUSED_FROM {
            drop(guard);
            // SAFETY: the caller's contract.
            return unsafe { self.alloc_big_from_empty_magazine(layout, lane) };
        }
        if let Some(reason) = self.pools.exhausted(lane) {
            guard.rest().count_fallback(reason, layout.size());
            drop(guard);
            // SAFETY: the caller's contract.
            return self.call_fallback(|fallback| unsafe { fallback.alloc(layout) });
        }
        drop(guard);
        // SAFETY: the caller's contract.
        unsafe { self.alloc_slow(layout) }
    }

    /// Does the same for at least [`REFUSED_FROM`] bytes. A function of its own, so that smaller requests do not save
    /// registers for it.
    #[inline(never)]
    unsafe fn alloc_big_from_empty_magazine(&self, layout: Layout, lane: Lane) -> *mut u8 {
        match self.pools.exhausted(lane) {
            // SAFETY: the caller's contract.
            Some(reason) => unsafe { self.alloc_big(layout, reason) },
            // SAFETY: the caller's contract.
            None => unsafe { self.alloc_slow(layout) },
        }
    }

    #[inline(never)]
    unsafe fn alloc_slow(&self, layout: Layout) -> *mut u8 {
        let tally = self.tally_unless_in_fallback();
        self.pools.recorded(layout, tally.is_none(), || {
            let refused = match tally.map(|tally| self.pools.take(tally, layout)) {
                Some(Ok(block)) => return block.start,
                Some(Err(reason)) => tally.map(|tally| (tally, reason)),
                None => None,
            };
            // SAFETY: the caller's contract.
            self.pass_on(refused, layout.size(), |fallback| unsafe { fallback.alloc(layout) })
        })
    }

    /// Allocates a block of at least [`REFUSED_FROM`] bytes that the pools do not serve for this reason.
    #[inline(never)]
    unsafe fn alloc_big(&self, layout: Layout, reason: FallbackReason) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.pass_on_big(Some(reason), layout.size(), |fallback| unsafe { fallback.alloc(layout) })
    }

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

    #[inline(never)]
    unsafe fn alloc_zeroed_slow(&self, layout: Layout) -> *mut u8 {
        let tally = self.tally_unless_in_fallback();
        self.pools.recorded(layout, tally.is_none(), || {
            let refused = match tally.map(|tally| (tally, self.pools.take(tally, layout))) {
                Some((tally, Ok(block))) => {
                    tally.zeroed(block.is_clean);
                    // SAFETY: a block of this layout that was taken just now.
                    return unsafe { block.zeroed(layout) };
                }
                Some((tally, Err(reason))) => Some((tally, reason)),
                None => None,
            };
            // SAFETY: the caller's contract.
            self.pass_on(refused, layout.size(), |fallback| unsafe { fallback.alloc_zeroed(layout) })
        })
    }
}
