//! The pools with coloured slots: each block starts some cache lines into its slot, and neighbours start at
//! different ones.
//!
//! Slots that are aligned to 2 MiB put equal offsets of all frames into the same cache sets. They also put
//! them at the same offset of a 4 KiB page, where a load waits for an unrelated store. This wrapper shows the
//! gain if the pools moved blocks of large layouts within the room that the layouts leave.

use std::alloc::{GlobalAlloc, Layout};

use framepool::{Class, Config, PoolAlloc};

/// The number of different starts.
const COLOURS: usize = 16;

/// The distance from one start to the next, in bytes: an odd number of cache lines, so all cache sets are
/// used in turn.
const STEP_BYTES: usize = 17 * 64;

/// The maximum number of bytes that the colours take from a slot.
pub(crate) const MAX_BYTES: usize = (COLOURS - 1) * STEP_BYTES;

/// The minimum alignment of slots in both coloured classes. Every colour is smaller.
const SLOT_ALIGN: usize = Config::new().slot_bytes(Class::Large);

const _: () = assert!(MAX_BYTES < SLOT_ALIGN, "take fewer colours: a slot's start is found by rounding down");

pub(crate) struct Coloured {
    pools: &'static PoolAlloc,
}

impl Coloured {
    pub(crate) const fn new(pools: &'static PoolAlloc) -> Self {
        Self { pools }
    }

    /// Returns the layout with room for its colour added. The result is the same for all blocks of one
    /// layout.
    fn widened(layout: Layout) -> Layout {
        assert!(layout.size() > Config::new().slot_bytes(Class::Medium), "only frames are coloured");
        Layout::array::<u8>(layout.size() + MAX_BYTES).expect("the sizes are constants")
    }
}

// SAFETY: a block is a block of the pools, moved up by less than it was widened by. Rounding down to the
// alignment that all slots of Large and XLarge have finds its start again. The workloads request byte
// buffers, which may start anywhere.
unsafe impl GlobalAlloc for Coloured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is wider than one that is not empty.
        let slot = unsafe { self.pools.alloc(Self::widened(layout)) };
        assert!(self.pools.owns(slot), "the classes are large enough for what is coloured");
        // Neighbours of either class get different colours.
        let number = (slot.addr() >> 18) + (slot.addr() >> 21);
        slot.wrapping_add(number % COLOURS * STEP_BYTES)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let slot = block.map_addr(|address| address & !(SLOT_ALIGN - 1));
        // SAFETY: this is the start of the slot that `alloc` got for this layout, and the caller gives it up.
        unsafe { self.pools.dealloc(slot, Self::widened(layout)) };
    }
}
