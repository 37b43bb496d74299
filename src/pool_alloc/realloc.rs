//! `realloc`: growth in place while the slot is large enough (P6), and where a block goes that moves.

use core::alloc::{GlobalAlloc, Layout};

use super::PoolAlloc;
use crate::pools::{LiveSlot, NoRoute, Shrink, has_malloc_alignment};
use crate::stats::counters::FallbackReason;
use crate::thread::current::StateGuard;
use crate::tunables::REFUSED_FROM;

/// All `unsafe fn` here have `GlobalAlloc`'s contract.
impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// Reallocates a block of the pools.
    ///
    /// The block keeps its slot as long as the slot is large enough. If it shrinks to at most a quarter of
    /// the slot, it goes where a new request would go. This fails only if the block outgrows its slot and
    /// neither pools nor fallback have memory. Then the block stays as it was.
    #[inline(never)]
    pub(super) unsafe fn realloc_slot(&self, ptr: *mut u8, layout: Layout, new_layout: Layout) -> *mut u8 {
        if self.pools.is_recording() {
            // SAFETY: the caller's contract.
            return unsafe { self.realloc_recorded(ptr, layout, new_layout) };
        }
        // The byte alone tells the lane. Finding it by the layout, as a free does, takes half a nanosecond
        // more here (measured).
        let found = self.pools.find(ptr, layout);
        let (size, new_size) = (layout.size(), new_layout.size());
        let fits = new_size <= self.pools.slot_bytes(found);
        if fits && !(new_size < size && self.pools.is_too_small_for(new_size, found)) {
            self.pools.count_in_place(self.tally(), found, new_size);
            return ptr;
        }
        // SAFETY: the caller's contract.
        unsafe { self.realloc_out_of_slot(ptr, layout, new_layout) }
    }

    /// Reallocates a block that outgrows its slot, or that is only a remainder in it.
    ///
    /// A function of its own, so that growth in place saves no registers for it. It looks this thread's place
    /// up each time, because a fallback that suspends may continue on another thread.
    #[inline(never)]
    unsafe fn realloc_out_of_slot(&self, ptr: *mut u8, layout: Layout, new_layout: Layout) -> *mut u8 {
        let found = self.pools.live_slot_at(ptr);
        let (size, new_size) = (layout.size(), new_layout.size());
        let new = if new_size <= self.pools.slot_bytes(found) {
            let Some(new) = self.place_for_remainder(new_layout, found) else {
                self.pools.count_in_place(self.tally_now(), found, new_size);
                return ptr;
            };
            new
        } else {
            // SAFETY: a valid layout, by the caller's contract.
            unsafe { self.alloc(new_layout) }
        };
        if !new.is_null() {
            let tally = self.tally_now();
            // SAFETY: two different blocks, each of at least the smaller size; the old one is given up.
            unsafe {
                new.copy_from_nonoverlapping(ptr, size.min(new_size));
                self.pools.give(tally, found);
            }
            tally.realloc_moved();
        }
        new
    }

    /// Allocates a new block for the remainder of one that shrank to at most a quarter of its slot.
    ///
    /// `None` if the block stays in its slot. In a signal handler this may call the fallback.
    fn place_for_remainder(&self, layout: Layout, found: LiveSlot) -> Option<*mut u8> {
        if self.is_in_fallback_now() {
            return None;
        }
        match self.pools.shrink(self.tally_now(), layout, found) {
            Shrink::Stays => None,
            Shrink::Moves(block) => Some(block.start),
            Shrink::ToFallback => {
                // SAFETY: `realloc` is not called for a size of 0.
                let start = self.call_fallback(|fallback| unsafe { fallback.alloc(layout) });
                if start.is_null() {
                    return None;
                }
                self.tally_now().fallback(FallbackReason::ShrunkToFallback, layout.size());
                Some(start)
            }
        }
    }

    /// Reallocates a block of the fallback. If it shrinks or stays tiny, a few loads tell that it stays there.
    ///
    /// Takes the new size, so that the compiler sees that both layouts have one alignment, and asks once what
    /// `System` asks too.
    #[inline(never)]
    pub(super) unsafe fn realloc_fallback(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract: `new_size`, rounded up to the alignment, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if has_malloc_alignment(new_layout)
            && layout.size() < REFUSED_FROM
            && let Some((guard, metadata)) = self.pools.enter()
        {
            let reason = if new_size <= layout.size() {
                Some(FallbackReason::ShrunkInFallback)
            } else if self.pools.is_tiny(new_layout) {
                self.pools.tiny_bypass(&guard, metadata, new_layout)
            } else {
                None
            };
            if let Some(reason) = reason {
                // SAFETY: the caller's contract.
                return unsafe { self.stay(ptr, layout, new_size, reason, guard) };
            }
        }
        // SAFETY: the caller's contract.
        unsafe { self.realloc_fallback_routed(ptr, layout, new_size) }
    }

    /// Reallocates a block of the fallback that is no longer tiny. If a few loads tell that its class has no slot, it
    /// stays there.
    #[inline(never)]
    unsafe fn realloc_fallback_routed(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if new_size < REFUSED_FROM
            && new_size > layout.size()
            && let Some((guard, _)) = self.pools.enter()
        {
            let reason = match self.pools.route(new_layout) {
                Ok(lane) if guard.magazine(lane).is_empty() => self.pools.exhausted(lane),
                Ok(_) | Err(NoRoute::NeedsSlowPath) => None,
                Err(NoRoute::Fallback(reason)) => Some(reason),
            };
            if let Some(reason) = reason {
                // SAFETY: the caller's contract.
                return unsafe { self.stay(ptr, layout, new_size, reason, guard) };
            }
        }
        // SAFETY: the caller's contract.
        unsafe { self.realloc_fallback_slow(ptr, layout, new_layout) }
    }

    /// Reallocates a small block of the fallback there, and counts it for this reason.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    unsafe fn stay(
        &self,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
        reason: FallbackReason,
        guard: StateGuard,
    ) -> *mut u8 {
        let is_due = Self::count_refusal(&guard, reason, new_size);
        drop(guard);
        if is_due {
            // SAFETY: the caller's contract.
            return unsafe { self.consolidate_and_realloc(ptr, layout, new_size) };
        }
        // SAFETY: the caller's contract.
        self.call_fallback(|fallback| unsafe { fallback.realloc(ptr, layout, new_size) })
    }

    #[cold]
    #[inline(never)]
    unsafe fn consolidate_and_realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.consolidate_heap();
        // SAFETY: the caller's contract.
        self.call_fallback(|fallback| unsafe { fallback.realloc(ptr, layout, new_size) })
    }

    /// Reallocates a block of the fallback.
    ///
    /// If the block grows and a slot is free for it, it moves into a pool. Otherwise the fallback's own
    /// `realloc` does the work.
    #[inline(never)]
    unsafe fn realloc_fallback_slow(&self, ptr: *mut u8, layout: Layout, new_layout: Layout) -> *mut u8 {
        let taken = if self.is_in_fallback_now() {
            // Neither counted nor moved.
            Err(None)
        } else if new_layout.size() <= layout.size() {
            Err(Some(FallbackReason::ShrunkInFallback))
        } else {
            self.pools.take(self.tally_now(), new_layout).map_err(Some)
        };
        match taken {
            Ok(block) => {
                // SAFETY: two different blocks, both of at least the old size. The old one goes back to the
                // fallback, where it came from.
                unsafe {
                    block.start.copy_from_nonoverlapping(ptr, layout.size());
                    self.call_fallback(|fallback| fallback.dealloc(ptr, layout));
                }
                self.tally_now().realloc_moved();
                block.start
            }
            Err(reason) => {
                let counts = reason.map(|reason| (self.tally_now(), reason));
                // SAFETY: the caller's contract, passed on.
                self.pass_on(counts, new_layout.size(), |fallback| unsafe {
                    let new = fallback.realloc(ptr, layout, new_layout.size());
                    if !new.is_null() {
                        self.pools.too_large_block_ends(layout.size());
                    }
                    new
                })
            }
        }
    }

    /// Does the work of `realloc` during a recording.
    ///
    /// A block that moves is allocated and freed, so that both are recorded. Old and new are live at once for
    /// a moment.
    #[cold]
    unsafe fn realloc_recorded(&self, ptr: *mut u8, layout: Layout, new_layout: Layout) -> *mut u8 {
        let (size, new_size) = (layout.size(), new_layout.size());
        let stays = if self.pools.is_ours(ptr) {
            let found = self.pools.find(ptr, layout);
            let stays = new_size <= self.pools.slot_bytes(found);
            if stays {
                self.pools.count_in_place(self.tally_now(), found, new_size);
            }
            stays.then_some(ptr)
        } else if self.is_in_fallback_now() || new_size <= size {
            // SAFETY: the caller's contract.
            Some(unsafe { self.realloc_fallback(ptr, layout, new_size) })
        } else {
            None
        };
        if let Some(new) = stays {
            // It is still one block, now of another size.
            if !new.is_null() {
                self.pools.record_resize((ptr, layout), (new, new_layout), self.is_in_fallback_now());
            }
            return new;
        }
        // SAFETY: a valid layout, by the caller's contract.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            let concerns_pools = self.pools.is_ours(ptr) || self.pools.is_ours(new);
            // SAFETY: two different blocks, each of at least the smaller size; the old one is given up.
            unsafe {
                new.copy_from_nonoverlapping(ptr, size.min(new_size));
                self.dealloc(ptr, layout);
            }
            if concerns_pools {
                self.tally_now().realloc_moved();
            }
        }
        new
    }
}
