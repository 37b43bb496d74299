//! The memory of one class: conversion between slot index and offset, and the pointer to a slot.
//!
//! Offsets count from the base of the reservation. A slab holds only slots: no headers and no links (P8).
//! Index to offset is a multiplication. Offset to index is a multiplication by the inverse of the slot size
//! (exact division, Granlund and Montgomery 1994). Slot sizes need not be powers of two, and a division would
//! cost ten times as much.

use crate::fatal::invariant;
use crate::layout::layout_of;

/// The position and the layout of one slab, computed at compile time for a `static`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Slab {
    /// The offset of the first slot.
    pub(crate) offset: usize,
    pub(crate) slot_bytes: usize,
    pub(crate) slots: usize,
    /// The alignment of every slot: the largest power of two that divides `slot_bytes`.
    pub(crate) align: usize,
    /// The inverse of `slot_bytes / align` modulo 2^BITS.
    inverse: usize,
}

impl Slab {
    pub(crate) const LAYOUT: u64 = layout_of!(Slab { offset, slot_bytes, slots, align, inverse });

    /// Returns the slab at `offset`, a multiple of the slot alignment. The end of the slab must not overflow.
    pub(crate) const fn new(offset: usize, slot_bytes: usize, slots: usize) -> Self {
        let align = 1 << slot_bytes.trailing_zeros();
        let odd = slot_bytes / align;
        // Newton's iteration doubles the number of correct low bits: 3, 6, 12, 24, 48, 96.
        let mut inverse = odd;
        let mut correct_bits = 3;
        while correct_bits < usize::BITS {
            inverse = inverse.wrapping_mul(2_usize.wrapping_sub(odd.wrapping_mul(inverse)));
            correct_bits *= 2;
        }
        Self { offset, slot_bytes, slots, align, inverse }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.slot_bytes * self.slots
    }

    #[inline]
    pub(crate) fn offset_of(&self, index: usize) -> usize {
        invariant!(index < self.slots, "a slot index lies in its slab");
        self.offset + index * self.slot_bytes
    }

    /// Returns the index of the slot that starts at `offset`. For any other offset, the result has no
    /// meaning.
    #[inline]
    pub(crate) fn index_of(&self, offset: usize) -> usize {
        let index =
            (offset.wrapping_sub(self.offset) >> self.align.trailing_zeros()).wrapping_mul(self.inverse);
        invariant!(index < self.slots && self.offset_of(index) == offset, "an offset is the start of a slot");
        index
    }

    /// Returns the slot that an offset lies in, and how many bytes in; `None` if the offset is outside the
    /// slab. Divides.
    pub(crate) const fn locate(&self, offset: usize) -> Option<(usize, usize)> {
        match offset.checked_sub(self.offset) {
            Some(bytes) if bytes < self.bytes() => Some((bytes / self.slot_bytes, bytes % self.slot_bytes)),
            _ => None,
        }
    }

    /// Returns the pointer to the slot at `offset`.
    ///
    /// # Safety
    ///
    /// `base` is the base of the reservation that the slab is part of. `offset` is the offset of one of its
    /// slots.
    #[inline]
    pub(crate) unsafe fn pointer(base: *mut u8, offset: usize) -> *mut u8 {
        // SAFETY: by contract the offset lies inside the one mapping that `base` starts.
        unsafe { base.add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_offset_are_inverse_for_slot_sizes_of_every_shape() {
        for slot_bytes in [64, 192, 1 << 10, 1_600, 65_600, 388_800 / 64 * 64, 3_110_400, 12_441_600, 2 << 20]
        {
            let slots = if usize::BITS == 64 { 70_000 } else { 170 };
            let slab = Slab::new(1 << 22, slot_bytes, slots);
            for index in [0, 1, 2, 63, 64, 1_023, 65_535, 69_999].into_iter().filter(|&index| index < slots) {
                let offset = slab.offset_of(index);
                assert_eq!(slab.index_of(offset), index, "{slot_bytes} bytes");
                assert_eq!(slab.locate(offset + slot_bytes - 1), Some((index, slot_bytes - 1)));
                assert!(offset.is_multiple_of(slab.align));
            }
            assert_eq!(slab.locate(slab.offset - 1), None);
            assert_eq!(slab.locate(slab.offset + slab.bytes()), None);
        }
    }
}
