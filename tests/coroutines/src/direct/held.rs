//! Blocks that are checked when they are freed.

use std::alloc::Layout;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A block with an id of its own at both ends.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    pub(crate) start: *mut u8,
    pub(crate) layout: Layout,
    id: u64,
}

const STAMPED: usize = 8;

impl Held {
    /// Stamps a block.
    ///
    /// # Safety
    ///
    /// The block is null, or live with this layout, and the caller's.
    pub(crate) unsafe fn new(start: *mut u8, layout: Layout) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let held = Self { start, layout, id: NEXT.fetch_add(1, Relaxed) };
        for (offset, byte) in held.stamp() {
            // SAFETY: inside the block.
            unsafe { start.add(offset).write(byte) };
        }
        held
    }

    /// Returns the block at the address to which a reallocation moved it, with the stamp that it had.
    pub(crate) fn moved_to(self, start: *mut u8) -> Self {
        Self { start, ..self }
    }

    /// Returns whether the stamp is still there, in the first `size` bytes of the block.
    ///
    /// # Safety
    ///
    /// The block is null, or live and the caller's.
    pub(crate) unsafe fn is_intact(&self, size: usize) -> bool {
        let mut stamp = self.stamp().filter(|&(offset, _)| offset < size);
        // SAFETY: inside the block.
        !self.start.is_null() && stamp.all(|(offset, byte)| unsafe { self.start.add(offset).read() } == byte)
    }

    fn stamp(&self) -> impl Iterator<Item = (usize, u8)> + use<> {
        let (id, size) = (self.id.to_ne_bytes(), if self.start.is_null() { 0 } else { self.layout.size() });
        let ends = (0..STAMPED.min(size)).chain(size.saturating_sub(STAMPED)..size);
        ends.map(move |offset| (offset, id[offset % id.len()]))
    }
}
