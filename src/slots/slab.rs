//! One class's memory: slot index <-> offset, and the only place that makes a payload pointer.
//!
//! Offsets count from the base of the reservation. A slab holds nothing but slots: no header, no link (P8). Index to offset is a
//! multiplication; offset to index is one too, by the inverse of the slot size (Granlund and Montgomery 1994, exact
//! division), because slot sizes need not be powers of two and a division would cost ten times as much.

use crate::fatal::invariant;

/// The place and the cut of one slab; computed at compile time for a `static`.
#[derive(Clone, Copy)]
pub(crate) struct Slab {
    /// Of the first slot.
    pub(crate) offset: usize,
    pub(crate) slot_bytes: usize,
    pub(crate) slots: usize,
    /// What every slot is aligned to: the largest power of two that divides `slot_bytes`.
    pub(crate) align: usize,
    /// `slot_bytes / align`, inverted modulo 2^BITS.
    inverse: usize,
}

impl Slab {
    /// `offset` is a multiple of the slot alignment, and the slab's end does not overflow.
    pub(crate) const fn new(offset: usize, slot_bytes: usize, slots: usize) -> Self {
        let align = 1 << slot_bytes.trailing_zeros();
        let odd = slot_bytes / align;
        // Newton's iteration doubles the correct low bits: 3, 6, 12, 24, 48, 96.
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

    /// `offset` is the start of a slot of this slab; any other gives a number without meaning.
    #[inline]
    pub(crate) fn index_of(&self, offset: usize) -> usize {
        let index =
            (offset.wrapping_sub(self.offset) >> self.align.trailing_zeros()).wrapping_mul(self.inverse);
        invariant!(index < self.slots && self.offset_of(index) == offset, "an offset is the start of a slot");
        index
    }

    /// For an offset anywhere in the slab: the slot that it lies in, and how many bytes in. Divides.
    pub(crate) const fn locate(&self, offset: usize) -> Option<(usize, usize)> {
        match offset.checked_sub(self.offset) {
            Some(bytes) if bytes < self.bytes() => Some((bytes / self.slot_bytes, bytes % self.slot_bytes)),
            _ => None,
        }
    }

    /// The pointer to the slot at `offset`.
    ///
    /// # Safety
    ///
    /// `base` is that of the reservation which this slab is part of, and `offset` one of its slots'.
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
            let slab = Slab::new(1 << 22, slot_bytes, 70_000);
            for index in [0, 1, 2, 63, 64, 1_023, 65_535, 69_999] {
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
