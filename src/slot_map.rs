//! One byte a slot, out of line: which class it is of, whether it is live, whether its memory may hold something.
//!
//! The reservation is cut into granules (the largest power of two that divides every slot size), and the byte at a
//! slot's first granule speaks for the slot. All others stay 0, and so does the byte of a slot that was never handed
//! out, so start-up writes nothing and an interior pointer finds no slot. The owner of a slot writes its byte: `hand_out`
//! after the slot was taken from the set, `retire` before it goes back.
//!
//! | field | who writes | ordering |
//! |---|---|---|
//! | a byte | whoever took the slot, then whoever frees it | Relaxed: the slot set's release and acquire carry it |
//!
//! Each step is one load or one store; `hardened` makes the free one exchange.

use crate::sync::{AtomicU8, Ordering::Relaxed};

/// Set in every byte that speaks for a slot.
const SLOT: u8 = 0x80;
const LIVE: u8 = 0x04;
/// Handed out since it was last known to be zero.
const DIRTY: u8 = 0x08;
const CLASS: u8 = 0x03;

/// What a byte says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot(u8);

impl Slot {
    #[inline]
    pub(crate) const fn is_live(self) -> bool {
        self.0 & LIVE != 0
    }

    /// Never handed out, or not a slot's start.
    pub(crate) const fn is_unknown(self) -> bool {
        self.0 == 0
    }

    /// Of a live or freed slot.
    #[inline]
    pub(crate) const fn class(self) -> usize {
        (self.0 & CLASS) as usize
    }
}

/// The bytes of one reservation.
#[derive(Clone, Copy)]
pub(crate) struct SlotMap {
    pub(crate) bytes: *const AtomicU8,
    pub(crate) granule_shift: u32,
}

impl SlotMap {
    /// # Safety
    ///
    /// `bytes` has a byte for the granule of `offset`.
    #[inline]
    unsafe fn byte(&self, offset: usize) -> &AtomicU8 {
        // SAFETY: by contract in bounds; the metadata is never unmapped.
        unsafe { &*self.bytes.add(offset >> self.granule_shift) }
    }

    /// What is known of the slot that starts at `offset`; nothing for an offset that no slot starts at.
    ///
    /// # Safety
    ///
    /// `offset` lies in the reservation that this map is for. (True of all methods here.)
    #[inline]
    pub(crate) unsafe fn at(&self, offset: usize) -> Slot {
        if offset & ((1 << self.granule_shift) - 1) != 0 {
            return Slot(0);
        }
        // SAFETY: the caller's contract.
        Slot(unsafe { self.byte(offset) }.load(Relaxed))
    }

    /// Marks a slot live that was taken from its set just now. The caller may write to it from here on.
    ///
    /// # Safety
    ///
    /// As [`at`](Self::at); `offset` is the start of a slot of `class`.
    #[inline]
    pub(crate) unsafe fn hand_out(&self, offset: usize, class: usize) {
        // SAFETY: the caller's contract.
        unsafe { self.byte(offset) }.store(SLOT | LIVE | DIRTY | class as u8, Relaxed);
    }

    /// Whether a slot that was taken from its set, and not marked live yet, is still all zeros.
    ///
    /// # Safety
    ///
    /// As [`at`](Self::at).
    #[inline]
    pub(crate) unsafe fn is_clean(&self, offset: usize) -> bool {
        // SAFETY: the caller's contract.
        unsafe { self.byte(offset) }.load(Relaxed) & DIRTY == 0
    }

    /// Marks a live slot free; `clean` if it was cleared.
    ///
    /// With `hardened`, returns whether the slot was still live at this very moment; otherwise `true`.
    ///
    /// # Safety
    ///
    /// As [`at`](Self::at); `slot` was just read there and is live.
    #[inline]
    pub(crate) unsafe fn retire(&self, offset: usize, slot: Slot, clean: bool, hardened: bool) -> bool {
        let freed = slot.0 & !(LIVE | if clean { DIRTY } else { 0 });
        // SAFETY: the caller's contract.
        let byte = unsafe { self.byte(offset) };
        if hardened {
            return byte.swap(freed, Relaxed) & LIVE != 0;
        }
        byte.store(freed, Relaxed);
        true
    }
}
