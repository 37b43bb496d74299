//! The blocks of a game that are live, and what they hold.

use std::alloc::Layout;
use std::ops::Range;

/// A live block. Each byte of it is its number.
pub(super) struct Live {
    pub(super) start: Start,
    pub(super) layout: Layout,
    pub(super) number: u8,
    /// The class of its slot; `None` for a block of the fallback.
    pub(super) class: Option<usize>,
}

/// The address of a block; null if there was no memory for it.
#[derive(Clone, Copy)]
pub(super) struct Start(pub(super) *mut u8);

// SAFETY: blocks may be used on any thread.
unsafe impl Send for Start {}

impl Live {
    /// Panics unless the first `bytes` bytes of the block are its number.
    pub(super) fn assert_holds(&self, bytes: usize) {
        self.assert_part(0..bytes);
    }

    /// Panics unless the first 8 and the last 8 bytes of the block are its number.
    pub(super) fn assert_ends(&self) {
        let (size, bytes) = (self.layout.size(), self.layout.size().min(8));
        self.assert_part(0..bytes);
        self.assert_part(size - bytes..size);
    }

    fn assert_part(&self, part: Range<usize>) {
        // SAFETY: a live block of that many bytes.
        let block = unsafe { core::slice::from_raw_parts(self.start.0, self.layout.size()) };
        let is_whole = block[part].iter().all(|&byte| byte == self.number);
        assert!(is_whole, "a block has two owners, or lost its contents");
    }
}
