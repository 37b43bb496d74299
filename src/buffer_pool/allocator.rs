//! The `Allocator` of allocator-api2: collections in the pools, on stable Rust.
//!
//! As in a global allocator, the layout decides where a block comes from, and the address decides where it
//! goes back to. So a block may come from the global allocator and go back there.

use core::alloc::Layout;
use core::num::NonZero;
use core::ptr::NonNull;
use std::alloc;

use allocator_api2::alloc::{AllocError, Allocator};

use super::BufferPool;
use crate::pools::Shrink;
use crate::stats::counters::FallbackReason;

// SAFETY:
// - A block stays valid until it is freed. A slot is valid as long as there is a handle, and all clones of a
//   handle are handles of the same pools. A block of the global allocator needs no handle.
// - A block is freed where it came from, by its address. A block of size 0 has no memory, unless it is a slot
//   whose block shrank to that size.
unsafe impl Allocator for BufferPool {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        match self.shared.take(layout) {
            Ok(block) => Ok(self.whole_slot(block.start, layout)),
            // SAFETY: the layout is not empty.
            Err(reason) => self.counted(reason, layout, block_of(unsafe { alloc::alloc(layout) }, layout)),
        }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        match self.shared.take(layout) {
            Ok(block) => {
                self.shared.count_zeroed(&block);
                // SAFETY: the block was taken for this layout just now.
                block_of(unsafe { block.zeroed(layout) }, layout)
            }
            Err(reason) => {
                // SAFETY: the layout is not empty.
                let block = block_of(unsafe { alloc::alloc_zeroed(layout) }, layout);
                self.counted(reason, layout, block)
            }
        }
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        if self.shared.has(ptr) {
            // SAFETY: the caller's contract.
            unsafe { self.shared.give(ptr, layout) };
        } else if layout.size() != 0 {
            // SAFETY: the block is neither a slot nor empty, so it is the global allocator's. The rest is the
            // caller's contract.
            self.shared.pools.too_large_block_ends(layout.size());
            // SAFETY: the block is neither a slot nor empty, so it is the global allocator's. The rest is the
            // caller's contract.
            unsafe { alloc::dealloc(ptr.as_ptr(), layout) };
        }
    }

    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if let Some(stays) = self.in_place(ptr, old, new) {
            return Ok(stays);
        }
        let block = match self.shared.take(new) {
            Ok(block) => self.whole_slot(block.start, new),
            // SAFETY: the caller's contract.
            Err(reason) => return unsafe { self.realloc_in_fallback(reason, ptr, old, new) },
        };
        // SAFETY: the new block has at least the old size, and the old block is given up.
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
        // The rest of the slot is not zeroed, so it is left out.
        Ok(NonNull::slice_from_raw_parts(block.cast(), new.size()))
    }

    unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if let Some(block) = self.place_for_remainder(ptr, old, new) {
            // SAFETY: the new block has at least the new size, and the old block is given up.
            unsafe { self.move_to(block, ptr, old, new.size()) };
            return Ok(block);
        }
        if let Some(stays) = self.in_place(ptr, old, new) {
            return Ok(stays);
        }
        let was_pooled = self.shared.has(ptr);
        let reason =
            if was_pooled { FallbackReason::ShrunkToFallback } else { FallbackReason::ShrunkInFallback };
        // SAFETY: the caller's contract.
        unsafe { self.realloc_in_fallback(reason, ptr, old, new) }
    }
}

impl BufferPool {
    /// Returns the whole slot of a block if it serves the new layout too: if it is large and aligned enough.
    /// Counts that as a reallocation in place.
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

    /// Allocates a new block for one that shrinks to at most a quarter of its slot; `None` if it stays there.
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

    /// Counts a request that the global allocator served or not, and returns its result.
    fn counted(
        &self,
        reason: FallbackReason,
        layout: Layout,
        block: Result<NonNull<[u8]>, AllocError>,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // A block that cannot move out of its slot stays there.
        if block.is_ok() || !matches!(reason, FallbackReason::ShrunkToFallback) {
            self.shared.count_fallback(Some(reason), layout.size(), block.is_ok());
        }
        if block.is_ok() {
            self.shared.pools.too_large_block_begins(layout.size());
        }
        block
    }

    /// Moves a block, which may be a slot, to a block of the global allocator, and counts that unless the new
    /// block is empty.
    ///
    /// # Safety
    ///
    /// The contract of [`Allocator::grow`] or [`Allocator::shrink`] holds.
    unsafe fn realloc_in_fallback(
        &self,
        reason: FallbackReason,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if !self.shared.has(ptr) && old.size() > 0 && new.size() > 0 && old.align() == new.align() {
            // SAFETY: the block is the global allocator's. Neither size is 0, and the new one is a layout's,
            // with the same alignment.
            let block = block_of(unsafe { alloc::realloc(ptr.as_ptr(), old, new.size()) }, new);
            if block.is_ok() {
                self.shared.pools.too_large_block_ends(old.size());
            }
            return self.counted(reason, new, block);
        }
        let block = if new.size() == 0 {
            nothing(new)
        } else {
            // SAFETY: the layout is not empty.
            self.counted(reason, new, block_of(unsafe { alloc::alloc(new) }, new))?
        };
        // SAFETY: the block is new and has at least the smaller of the two sizes. The old block is given up.
        unsafe { self.move_to(block, ptr, old, old.size().min(new.size())) };
        Ok(block)
    }

    /// Copies the first `bytes` bytes of the block at `ptr` to another block, and frees the block at `ptr`.
    ///
    /// # Safety
    ///
    /// Both blocks have at least `bytes` bytes and do not overlap. The block at `ptr` is one of this
    /// allocator, of layout `old`, and given up.
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

    /// Returns all bytes of the slot at `start`, which serves `layout`.
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

/// Returns a block of no bytes, aligned as the layout asks.
fn nothing(layout: Layout) -> NonNull<[u8]> {
    // SAFETY: an alignment is not 0.
    let address = unsafe { NonZero::new_unchecked(layout.align()) };
    NonNull::slice_from_raw_parts(NonNull::without_provenance(address), 0)
}
