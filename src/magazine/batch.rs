//! Slots on their way between a magazine and a set. A batch lies on the stack.

use core::ptr;

use crate::tunables::MAGAZINE_BATCH;

/// Pointers to the starts of up to [`MAGAZINE_BATCH`] slots.
pub(super) struct Batch {
    slots: [*mut u8; MAGAZINE_BATCH],
    len: usize,
}

impl Batch {
    pub(super) const EMPTY: Self = Self { slots: [ptr::null_mut(); MAGAZINE_BATCH], len: 0 };

    pub(super) fn as_slice(&self) -> &[*mut u8] {
        &self.slots[..self.len]
    }
}

/// Collects the first [`MAGAZINE_BATCH`] pointers.
impl FromIterator<*mut u8> for Batch {
    #[inline]
    fn from_iter<I: IntoIterator<Item = *mut u8>>(starts: I) -> Self {
        let mut batch = Self::EMPTY;
        for (slot, start) in batch.slots.iter_mut().zip(starts) {
            *slot = start;
            batch.len += 1;
        }
        batch
    }
}
