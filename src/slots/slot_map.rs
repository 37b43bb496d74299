//! A byte for each slot, outside the slots. It says which lane the slot is of, whether it is live, and
//! whether its memory may hold data.
//!
//! The reservation is cut into granules of the largest power of two that divides every slot size. The byte of
//! a slot's first granule is the slot's byte. All other bytes stay 0, and so does the byte of a slot that was
//! never handed out. So start-up writes nothing, and an interior pointer finds no slot.
//!
//! The owner of a slot writes its byte: `hand_out` after it took the slot, `retire` before it gives the slot
//! back.
//!
//! | field | who writes | ordering |
//! |---|---|---|
//! | a byte | the thread that took the slot, then the thread that frees it | Relaxed: the slot set and the magazines carry it |
//!
//! Each step is one load or one store. With `hardened`, a free is one exchange instead.

use crate::fatal::invariant;
use crate::layout::layout_of;
use crate::slots::lane::Lane;
use crate::sync::{AtomicU8, Ordering::Relaxed};

/// The bit that is set in every byte of a slot that was ever handed out.
const SLOT: u8 = 0x80;
const LIVE: u8 = 0x40;
/// The bit of a slot that was handed out since it was last known to be zero.
const DIRTY: u8 = 0x20;

/// The value of a slot's byte. The low bits are the lane's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotTag(u8);

impl SlotTag {
    /// The byte of a live slot, without its lane.
    pub(crate) const LIVE: Self = Self(SLOT | LIVE | DIRTY);
    /// A value that no byte has with any lane.
    pub(crate) const NEVER: Self = Self(LIVE | DIRTY);

    #[inline]
    const fn of(self, lane: Lane) -> Self {
        Self(self.0 | lane.bits())
    }

    /// Whether this byte is `what` [`of`](Self::of) that lane, by the comparison that costs a free least.
    #[inline(always)]
    pub(crate) const fn matches(self, what: Self, lane: Lane) -> bool {
        self.0 ^ what.0 == lane.bits()
    }

    #[inline]
    pub(crate) const fn is_live(self) -> bool {
        self.0 & LIVE != 0
    }

    /// Whether the slot was never handed out, or no slot starts here.
    pub(crate) const fn is_unknown(self) -> bool {
        self.0 == 0
    }

    /// Returns a byte that was read in another process.
    pub(crate) const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// Returns the lane of a slot that was handed out at least once.
    #[inline]
    pub(crate) const fn lane(self) -> Lane {
        Lane::from_bits(self.0)
    }
}

/// The bytes of one reservation, found by address.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct SlotMap {
    /// The position that the byte of address 0 would have, so that a lookup subtracts no base.
    origin: *const AtomicU8,
    granule_shift: u32,
    /// The address bits that are 0 where a granule starts.
    within_granule: usize,
}

impl SlotMap {
    pub(crate) const LAYOUT: u64 = layout_of!(SlotMap { origin, granule_shift, within_granule });

    /// Returns the map of the reservation at `base`, which is a multiple of a granule, `1 << granule_shift`
    /// bytes. `bytes` has one byte for each granule.
    pub(crate) fn new(bytes: *const AtomicU8, base: *mut u8, granule_shift: u32) -> Self {
        Self {
            origin: bytes.wrapping_sub(base.addr() >> granule_shift),
            granule_shift,
            within_granule: (1 << granule_shift) - 1,
        }
    }

    /// Returns the cell of the slot that starts at `address`. If no granule starts there, returns a cell that
    /// is always 0.
    ///
    /// # Safety
    ///
    /// `address` lies in the reservation of this map.
    #[inline(always)]
    pub(crate) unsafe fn cell(&self, address: usize) -> TagCell<'_> {
        // SAFETY: the caller's contract.
        if self.is_granule(address) { unsafe { self.cell_of_start(address) } } else { TagCell(&NO_TAG) }
    }

    /// Returns the position of the byte for an offset of the reservation; `None` if the map is of no reservation.
    pub(crate) fn granule_of(&self, offset: usize) -> Option<usize> {
        offset.checked_shr(self.granule_shift)
    }

    /// Whether a granule starts at `address`.
    #[inline(always)]
    pub(crate) fn is_granule(&self, address: usize) -> bool {
        address & self.within_granule == 0
    }

    /// Returns the [`cell`](Self::cell) of an address that is known to be a granule's start, as every slot's
    /// start is.
    ///
    /// # Safety
    ///
    /// A granule starts at `address`, which lies in the reservation of this map.
    #[inline(always)]
    pub(crate) unsafe fn cell_of_start(&self, address: usize) -> TagCell<'_> {
        // SAFETY: the map has a byte for each granule of the reservation. The bytes lie in the metadata,
        // which stays mapped as long as the reservation is used.
        TagCell(unsafe { &*self.origin.wrapping_add(address >> self.granule_shift) })
    }
}

/// The byte for addresses at which no granule starts. No thread writes to it, because it is no live slot's.
static NO_TAG: AtomicU8 = AtomicU8::new(0);

/// The byte of one slot. Only the thread that has the slot may change it.
#[derive(Clone, Copy)]
pub(crate) struct TagCell<'a>(&'a AtomicU8);

impl TagCell<'_> {
    #[inline(always)]
    pub(crate) fn read(self) -> SlotTag {
        SlotTag(self.0.load(Relaxed))
    }

    /// Whether a slot that was taken, and is not marked live yet, is still all zeros.
    #[inline(always)]
    pub(crate) fn is_clean(self) -> bool {
        self.read().0 & DIRTY == 0
    }

    /// Marks a slot of `lane`, which the caller has taken, live. From here on the caller may write to the
    /// slot.
    #[inline(always)]
    pub(crate) fn hand_out(self, lane: Lane) {
        invariant!(
            !self.read().is_live(),
            "a slot that is handed out is free (or its last block was freed twice at once)"
        );
        self.0.store(SlotTag::LIVE.of(lane).0, Relaxed);
    }

    /// Marks a live slot of `lane` free.
    #[inline(always)]
    pub(crate) fn retire(self, lane: Lane) {
        self.0.store(SLOT | DIRTY | lane.bits(), Relaxed);
    }

    /// Marks a slot of `lane` free by one exchange. Returns whether the slot was live until then.
    pub(crate) fn retire_once(self, lane: Lane) -> bool {
        self.0.swap(SLOT | DIRTY | lane.bits(), Relaxed) & LIVE != 0
    }

    /// Marks a free slot of `lane`, which only the caller can reach, as all zeros.
    pub(crate) fn set_clean(self, lane: Lane) {
        invariant!(!self.read().is_live(), "a slot that becomes clean is free");
        self.0.store(SLOT | lane.bits(), Relaxed);
    }
}

#[cfg(test)]
mod tests;
