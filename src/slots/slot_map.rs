//! One byte a slot, out of line: which lane it is of, whether it is live, whether its memory may hold something.
//!
//! The reservation is cut into granules (the largest power of two that divides every slot size), and the byte at a
//! slot's first granule speaks for the slot. All others stay 0, and so does the byte of a slot that was never handed
//! out, so start-up writes nothing and an interior pointer finds no slot. The owner of a slot writes its byte: `hand_out`
//! after the slot was taken, `retire` before it goes back.
//!
//! | field | who writes | ordering |
//! |---|---|---|
//! | a byte | whoever took the slot, then whoever frees it | Relaxed: the slot set and the magazines carry it |
//!
//! Each step is one load or one store; `hardened` makes the free one exchange.

use crate::fatal::invariant;
use crate::slots::lane::Lane;
use crate::sync::{AtomicU8, Ordering::Relaxed};

/// Set in every byte that speaks for a slot.
const SLOT: u8 = 0x80;
const LIVE: u8 = 0x40;
/// Handed out since it was last known to be zero.
const DIRTY: u8 = 0x20;

/// What a byte says. The low bits are the lane's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotTag(u8);

impl SlotTag {
    /// What the byte of a live slot says, but for its lane.
    pub(crate) const LIVE: Self = Self(SLOT | LIVE | DIRTY);
    /// What no byte ever says, whatever the lane.
    pub(crate) const NEVER: Self = Self(LIVE | DIRTY);

    #[inline]
    const fn of(self, lane: Lane) -> Self {
        Self(self.0 | lane.bits())
    }

    /// Whether this is [`of`](Self::of) that lane. The same, in the form that takes least on the way of a free.
    #[inline(always)]
    pub(crate) const fn matches(self, what: Self, lane: Lane) -> bool {
        self.0 ^ what.0 == lane.bits()
    }

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
    pub(crate) const fn lane(self) -> Lane {
        Lane::from_bits(self.0)
    }
}

/// The bytes of one reservation, asked by address.
#[derive(Clone, Copy)]
pub(crate) struct SlotMap {
    /// Where the byte of address 0 would be, so that no base need be taken off.
    origin: *const AtomicU8,
    granule_shift: u32,
    /// What no address of a granule's start has.
    within_granule: usize,
}

impl SlotMap {
    /// `bytes` has one for each granule, `1 << granule_shift` bytes, of the reservation at `base`, a multiple of it.
    pub(crate) fn new(bytes: *const AtomicU8, base: *mut u8, granule_shift: u32) -> Self {
        Self {
            origin: bytes.wrapping_sub(base.addr() >> granule_shift),
            granule_shift,
            within_granule: (1 << granule_shift) - 1,
        }
    }

    /// The cell of the slot that starts at `address`; one that says nothing if no granule does.
    ///
    /// # Safety
    ///
    /// `address` lies in the reservation that this map is for.
    #[inline(always)]
    pub(crate) unsafe fn cell(&self, address: usize) -> TagCell<'_> {
        // SAFETY: the caller's contract.
        if self.is_granule(address) { unsafe { self.cell_of_start(address) } } else { TagCell(&NO_TAG) }
    }

    /// Whether a granule starts at `address`.
    #[inline(always)]
    pub(crate) fn is_granule(&self, address: usize) -> bool {
        address & self.within_granule == 0
    }

    /// [`cell`](Self::cell) of an address that is known to be a granule's start, as every slot's start is.
    ///
    /// # Safety
    ///
    /// It is, and lies in the reservation that this map is for.
    #[inline(always)]
    pub(crate) unsafe fn cell_of_start(&self, address: usize) -> TagCell<'_> {
        // SAFETY: the map has a byte for each granule of the reservation, and the metadata is never unmapped.
        TagCell(unsafe { &*self.origin.wrapping_add(address >> self.granule_shift) })
    }
}

/// What stands for addresses that no granule starts at. Never written: it is no live slot's.
static NO_TAG: AtomicU8 = AtomicU8::new(0);

/// The byte of one slot. Only who has the slot may change it.
#[derive(Clone, Copy)]
pub(crate) struct TagCell<'a>(&'a AtomicU8);

impl TagCell<'_> {
    #[inline(always)]
    pub(crate) fn read(self) -> SlotTag {
        SlotTag(self.0.load(Relaxed))
    }

    /// Whether a slot that was taken, and not marked live yet, is still all zeros.
    #[inline(always)]
    pub(crate) fn is_clean(self) -> bool {
        self.read().0 & DIRTY == 0
    }

    /// Marks a slot of `lane` live that was taken just now. The caller may write to it from here on.
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

    /// The same with one exchange, which tells whether the slot was live until this very moment.
    pub(crate) fn retire_once(self, lane: Lane) -> bool {
        self.0.swap(SLOT | DIRTY | lane.bits(), Relaxed) & LIVE != 0
    }

    /// Notes that a free slot of `lane`, which only the caller can get at, is all zeros.
    pub(crate) fn set_clean(self, lane: Lane) {
        invariant!(!self.read().is_live(), "a slot that becomes clean is free");
        self.0.store(SLOT | lane.bits(), Relaxed);
    }
}

#[cfg(all(test, not(framepool_loom)))]
mod tests;
