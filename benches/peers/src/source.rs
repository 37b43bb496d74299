//! Where a workload's blocks come from, and the blocks themselves.
//!
//! Everyone is called through the same `&dyn GlobalAlloc`, hidden from the optimiser: that costs all the same nanosecond or two
//! and keeps the compiler from inlining one and not another. No contestant is the program's global allocator, so what
//! the harness allocates for itself goes to `System` and enters nobody's pools.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::slice;

/// An allocator as the workloads see it.
pub(crate) type Allocator = dyn GlobalAlloc + Sync;

/// The unit in which the kernel gives memory, and in which `touch` takes it.
const PAGE_BYTES: usize = 4096;

/// An allocator, asked for blocks of one size.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    allocator: &'static Allocator,
    layout: Layout,
}

impl Source {
    /// Byte buffers of `bytes`, as `Vec<u8>` asks for them.
    pub(crate) fn new(allocator: &'static Allocator, bytes: usize) -> Self {
        assert!(bytes > 0, "an allocator may not be asked for nothing");
        let layout = Layout::array::<u8>(bytes).expect("the sizes are constants");
        Self { allocator: black_box(allocator), layout }
    }

    /// A block that goes back when it is dropped. Its contents are whatever the memory held before.
    #[inline(always)]
    pub(crate) fn block(self) -> Block {
        Block { start: self.alloc(), source: self }
    }

    /// A block of zeros.
    #[inline(always)]
    pub(crate) fn zeroed_block(self) -> Block {
        // SAFETY: `new` checked that the layout is not empty.
        let start = unsafe { self.allocator.alloc_zeroed(self.layout) };
        assert!(!start.is_null(), "out of memory for {} bytes", self.layout.size());
        Block { start: black_box(start), source: self }
    }

    /// `HELD` blocks allocated, then freed, oldest first. Bare pointers, so that nothing but the allocator is timed.
    #[inline(always)]
    pub(crate) fn batch<const HELD: usize>(self) {
        let mut held = [null_mut(); HELD];
        for place in &mut held {
            *place = self.alloc();
        }
        for start in held {
            // SAFETY: allocated by `self` above, and freed once.
            unsafe { self.dealloc(start) };
        }
    }

    #[inline(always)]
    fn alloc(self) -> *mut u8 {
        // SAFETY: `new` checked that the layout is not empty.
        let start = unsafe { self.allocator.alloc(self.layout) };
        assert!(!start.is_null(), "out of memory for {} bytes", self.layout.size());
        black_box(start)
    }

    /// # Safety
    ///
    /// `start` came from this source, is live, and is given up.
    #[inline(always)]
    unsafe fn dealloc(self, start: *mut u8) {
        // SAFETY: the caller's promise: a live block of this allocator, with the layout of all its blocks.
        unsafe { self.allocator.dealloc(black_box(start), self.layout) };
    }
}

/// A live block and its source.
pub(crate) struct Block {
    start: *mut u8,
    source: Source,
}

// SAFETY: a block is the only one to know its memory, and its allocator is `Sync`: any thread may write and free it.
unsafe impl Send for Block {}

impl Block {
    fn bytes(&self) -> usize {
        self.source.layout.size()
    }

    /// Writes one byte to each page, so that all of the block is there.
    #[inline(always)]
    pub(crate) fn touch(&mut self) {
        for page in self.spare().chunks_mut(PAGE_BYTES) {
            black_box(&mut page[0]).write(1);
        }
    }

    /// Writes all of it, and hands out what was written.
    #[inline(always)]
    pub(crate) fn fill(&mut self, byte: u8) -> &mut [u8] {
        // SAFETY: the block is live, this long, and nobody else's; once written, it is `u8`s.
        unsafe {
            self.start.write_bytes(byte, self.bytes());
            slice::from_raw_parts_mut(self.start, self.bytes())
        }
    }

    /// Writes all of it with what another block of that size holds, which must have been written.
    #[inline(always)]
    pub(crate) fn copy_from(&mut self, written: &Block) {
        assert_eq!(self.bytes(), written.bytes(), "only blocks of one size are copied");
        // SAFETY: two live blocks of this length; they are two because `self` is borrowed exclusively.
        unsafe { self.start.copy_from_nonoverlapping(written.start, self.bytes()) };
    }

    /// Its memory, to be written.
    #[inline(always)]
    pub(crate) fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the block is live, this long, and nobody else's; `MaybeUninit` asks nothing of its contents.
        unsafe { slice::from_raw_parts_mut(self.start.cast(), self.bytes()) }
    }

    /// Grows to `bytes`; what it held stays, the rest is to be written.
    #[inline(always)]
    pub(crate) fn grow(&mut self, bytes: usize) {
        assert!(bytes >= self.bytes(), "a block only grows");
        let layout = Layout::array::<u8>(bytes).expect("the sizes are constants");
        // SAFETY: a live block with its own layout; the new size is above zero and a valid array's.
        let start = unsafe { self.source.allocator.realloc(self.start, self.source.layout, bytes) };
        assert!(!start.is_null(), "out of memory for {bytes} bytes");
        self.start = black_box(start);
        self.source.layout = layout;
    }
}

impl Drop for Block {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: live until now, and this is its end.
        unsafe { self.source.dealloc(self.start) };
    }
}
