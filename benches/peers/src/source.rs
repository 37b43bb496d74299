//! The source of a workload's blocks, and the blocks themselves.
//!
//! Every allocator is called through the same `&dyn GlobalAlloc`, hidden from the optimiser. That costs all
//! of them the same nanosecond or two, and keeps the compiler from inlining one and not another. No
//! contestant is the program's global allocator. The harness's own allocations go to `System` and enter no
//! pool.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::slice;

/// An allocator as the workloads call it.
pub(crate) type Allocator = dyn GlobalAlloc + Sync;

/// The unit in which the kernel maps memory, and in which `touch` writes it.
const PAGE_BYTES: usize = 4096;

/// An allocator, and the layout of the blocks that it is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    allocator: &'static Allocator,
    layout: Layout,
}

impl Source {
    /// A source of byte buffers of `bytes` bytes, requested as `Vec<u8>` requests them.
    pub(crate) fn new(allocator: &'static Allocator, bytes: usize) -> Self {
        assert!(bytes > 0, "an allocator may not be asked for nothing");
        let layout = Layout::array::<u8>(bytes).expect("the sizes are constants");
        Self { allocator: black_box(allocator), layout }
    }

    /// Allocates a block, which is freed when it is dropped. Its contents are undefined.
    #[inline(always)]
    pub(crate) fn block(self) -> Block {
        Block { start: self.alloc(), source: self }
    }

    /// Allocates a block of zeros.
    #[inline(always)]
    pub(crate) fn zeroed_block(self) -> Block {
        // SAFETY: `new` checked that the layout is not empty.
        let start = unsafe { self.allocator.alloc_zeroed(self.layout) };
        assert!(!start.is_null(), "out of memory for {} bytes", self.layout.size());
        Block { start: black_box(start), source: self }
    }

    /// Allocates `HELD` blocks, then frees them, oldest first. It works on bare pointers, so only the
    /// allocator is timed.
    #[inline(always)]
    pub(crate) fn batch<const HELD: usize>(self) {
        let mut held = [null_mut(); HELD];
        for place in &mut held {
            *place = self.alloc();
        }
        for start in held {
            // SAFETY: the block was allocated by `self` above, and is freed once.
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

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// `start` came from this source, is live, and is not used after this call.
    #[inline(always)]
    unsafe fn dealloc(self, start: *mut u8) {
        // SAFETY: the caller promises a live block of this allocator, with the layout of all its blocks.
        unsafe { self.allocator.dealloc(black_box(start), self.layout) };
    }
}

/// A live block and its source.
pub(crate) struct Block {
    start: *mut u8,
    source: Source,
}

// SAFETY: a block is the only owner of its memory, and its allocator is `Sync`: any thread may write and free
// it.
unsafe impl Send for Block {}

impl Block {
    fn bytes(&self) -> usize {
        self.source.layout.size()
    }

    /// Writes one byte to each page, so that the whole block is resident.
    #[inline(always)]
    pub(crate) fn touch(&mut self) {
        for page in self.spare().chunks_mut(PAGE_BYTES) {
            black_box(&mut page[0]).write(1);
        }
    }

    /// Fills the block with `byte`, and returns the filled bytes.
    #[inline(always)]
    pub(crate) fn fill(&mut self, byte: u8) -> &mut [u8] {
        // SAFETY: the block is live, this long, and borrowed exclusively; once written, it is `u8`s.
        unsafe {
            self.start.write_bytes(byte, self.bytes());
            slice::from_raw_parts_mut(self.start, self.bytes())
        }
    }

    /// Copies another block of the same size into this one. The other block must have been written.
    #[inline(always)]
    pub(crate) fn copy_from(&mut self, written: &Block) {
        assert_eq!(self.bytes(), written.bytes(), "only blocks of one size are copied");
        // SAFETY: both are live blocks of this length. They are two blocks because `self` is borrowed
        // exclusively.
        unsafe { self.start.copy_from_nonoverlapping(written.start, self.bytes()) };
    }

    /// Returns the block's memory, to be written.
    #[inline(always)]
    pub(crate) fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the block is live, this long, and borrowed exclusively; `MaybeUninit` asks nothing of its
        // contents.
        unsafe { slice::from_raw_parts_mut(self.start.cast(), self.bytes()) }
    }

    /// Reallocates the block to `bytes` bytes. The contents that fit stay, and the rest is uninitialised.
    #[inline(always)]
    pub(crate) fn resize(&mut self, bytes: usize) {
        let layout = Layout::array::<u8>(bytes).expect("the sizes are constants");
        // SAFETY: the block is live and has its own layout; the new size is above zero and a valid array's.
        let start = unsafe { self.source.allocator.realloc(self.start, self.source.layout, bytes) };
        assert!(!start.is_null(), "out of memory for {bytes} bytes");
        self.start = black_box(start);
        self.source.layout = layout;
    }
}

impl Drop for Block {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the block has been live until now, and this is its end.
        unsafe { self.source.dealloc(self.start) };
    }
}
