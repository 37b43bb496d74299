//! allocator-api2's `Allocator`: collections in the pools, on stable Rust.
//!
//! As a global allocator does, it takes in by layout and out by address, so a block may come from the global allocator and go back there.

use core::alloc::Layout;
use core::num::NonZero;
use core::ptr::NonNull;
use std::alloc;

use allocator_api2::alloc::{AllocError, Allocator};

use super::BufferPool;
use crate::pools::Shrink;
use crate::stats::counters::FallbackReason;

// SAFETY:
// - A block stays valid until it is freed: a slot as long as there is a handle, and all clones of a handle are handles of the same pools;
//   a block of the global allocator for ever.
// - A block is freed where it came from, by its address. Of size 0 there are none but slots whose block shrank to that.
unsafe impl Allocator for BufferPool {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        if let Some(block) = self.shared.take(layout) {
            return Ok(self.whole_slot(block.start, layout));
        }
        // SAFETY: not empty.
        block_of(unsafe { alloc::alloc(layout) }, layout)
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        if let Some(block) = self.shared.take(layout) {
            self.shared.count_zeroed(&block);
            // SAFETY: a block of this layout that was taken just now.
            return block_of(unsafe { block.zeroed(layout) }, layout);
        }
        // SAFETY: not empty.
        block_of(unsafe { alloc::alloc_zeroed(layout) }, layout)
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        if self.shared.has(ptr) {
            // SAFETY: the caller's contract.
            unsafe { self.shared.give(ptr, layout) };
        } else if layout.size() != 0 {
            // SAFETY: not a slot, and not empty, so of the global allocator; the rest is the caller's contract.
            unsafe { alloc::dealloc(ptr.as_ptr(), layout) };
        }
    }

    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if let Some(stays) = self.in_place(ptr, old, new) {
            return Ok(stays);
        }
        let block = match self.shared.take(new) {
            Some(block) => self.whole_slot(block.start, new),
            // SAFETY: the caller's contract.
            None => return unsafe { self.realloc_in_fallback(ptr, old, new) },
        };
        // SAFETY: a new block of at least the old size; the old one is given up.
        unsafe { self.move_to(block, ptr, old, old.size()) };
        Ok(block)
    }

    unsafe fn grow_zeroed(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's contract.
        let block = unsafe { self.grow(ptr, old, new)? };
        // SAFETY: the block has at least the new size.
        unsafe { block.cast::<u8>().add(old.size()).write_bytes(0, new.size() - old.size()) };
        // No more than that is zeros.
        Ok(NonNull::slice_from_raw_parts(block.cast(), new.size()))
    }

    unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if let Some(block) = self.place_for_remainder(ptr, old, new) {
            // SAFETY: a new block of at least the new size; the old one is given up.
            unsafe { self.move_to(block, ptr, old, new.size()) };
            return Ok(block);
        }
        if let Some(stays) = self.in_place(ptr, old, new) {
            return Ok(stays);
        }
        if new.size() > 0 {
            let was_pooled = self.shared.has(ptr);
            let reason =
                if was_pooled { FallbackReason::ShrunkToFallback } else { FallbackReason::ShrunkInFallback };
            self.shared.pools.shared_tally().fallback(reason, new.size());
        }
        // SAFETY: the caller's contract.
        unsafe { self.realloc_in_fallback(ptr, old, new) }
    }
}

impl BufferPool {
    /// A slot serves any layout that it is large and aligned enough for; counted as a reallocation in place.
    fn in_place(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
        if !self.shared.has(ptr) {
            return None;
        }
        let pools = &self.shared.pools;
        let found = pools.find(ptr.as_ptr(), old);
        if !pools.fits(found, new) {
            return None;
        }
        pools.count_in_place(pools.shared_tally(), found, new.size());
        Some(NonNull::slice_from_raw_parts(ptr, pools.slot_bytes(found)))
    }

    /// A new block for what is left of one that shrank to at most a quarter of its slot; `None` if it stays there.
    fn place_for_remainder(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
        if !self.shared.has(ptr) || new.size() == 0 || new.size() >= old.size() {
            return None;
        }
        let pools = &self.shared.pools;
        let found = pools.find(ptr.as_ptr(), old);
        if !pools.is_too_small_for(new.size(), found) {
            return None;
        }
        match pools.shrink(pools.shared_tally(), new, found) {
            Shrink::Stays => None,
            Shrink::Moves(block) => Some(self.whole_slot(block.start, new)),
            Shrink::ToFallback => {
                // SAFETY: not empty.
                let block = block_of(unsafe { alloc::alloc(new) }, new).ok()?;
                pools.shared_tally().fallback(FallbackReason::ShrunkToFallback, new.size());
                Some(block)
            }
        }
    }

    /// A block of the global allocator with what the old one, which may be a slot, held.
    ///
    /// # Safety
    ///
    /// That of [`Allocator::grow`] and [`Allocator::shrink`].
    unsafe fn realloc_in_fallback(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if !self.shared.has(ptr) && old.size() > 0 && new.size() > 0 && old.align() == new.align() {
            // SAFETY: a block of the global allocator; neither size is 0, and the new one is a layout's.
            return block_of(unsafe { alloc::realloc(ptr.as_ptr(), old, new.size()) }, new);
        }
        // SAFETY: not empty.
        let block = if new.size() == 0 { nothing(new) } else { block_of(unsafe { alloc::alloc(new) }, new)? };
        // SAFETY: a new block; the old one is given up.
        unsafe { self.move_to(block, ptr, old, old.size().min(new.size())) };
        Ok(block)
    }

    /// Copies the first `bytes` of a block to another one, and frees it.
    ///
    /// # Safety
    ///
    /// Both have as many; the block is one of this allocator, of layout `old`, and given up.
    unsafe fn move_to(&self, block: NonNull<[u8]>, ptr: NonNull<u8>, old: Layout, bytes: usize) {
        let concerns_pools = self.shared.has(ptr) || self.shared.has(block.cast());
        // SAFETY: the caller's contract.
        unsafe {
            block.cast::<u8>().copy_from_nonoverlapping(ptr, bytes);
            self.deallocate(ptr, old);
        }
        if concerns_pools {
            self.shared.pools.shared_tally().realloc_moved();
        }
    }

    /// The bytes of a slot that serves `layout`.
    fn whole_slot(&self, start: *mut u8, layout: Layout) -> NonNull<[u8]> {
        let bytes = self.shared.pools.unpoison_whole(start).unwrap_or(layout.size());
        // SAFETY: slots do not start at address 0.
        NonNull::slice_from_raw_parts(unsafe { NonNull::new_unchecked(start) }, bytes)
    }
}

fn block_of(start: *mut u8, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
    let start = NonNull::new(start).ok_or(AllocError)?;
    Ok(NonNull::slice_from_raw_parts(start, layout.size()))
}

/// A block of no bytes, aligned as asked.
fn nothing(layout: Layout) -> NonNull<[u8]> {
    // SAFETY: an alignment is not 0.
    let address = unsafe { NonZero::new_unchecked(layout.align()) };
    NonNull::slice_from_raw_parts(NonNull::without_provenance(address), 0)
}
