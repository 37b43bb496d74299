//! A fallback that tracks its own blocks, and fails a request when told to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

use framepool::PoolAlloc;

/// The pools under test, which have this fallback.
pub(crate) type Pool = PoolAlloc<&'static Watched>;

/// The [`System`] allocator, with a record of its live blocks and its calls.
pub(crate) struct Watched {
    blocks: Mutex<BTreeMap<usize, Layout>>,
    calls: AtomicU64,
    mistakes: AtomicU64,
    /// The number of requests before one fails. Negative: none fails.
    until_failure: AtomicI64,
}

impl Watched {
    pub(crate) const fn new() -> Self {
        Self {
            blocks: Mutex::new(BTreeMap::new()),
            calls: AtomicU64::new(0),
            mistakes: AtomicU64::new(0),
            until_failure: AtomicI64::new(-1),
        }
    }

    /// Returns the number of requests for memory so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(SeqCst)
    }

    /// Serves `after` more requests and fails the next one.
    pub(crate) fn fail_after(&self, after: u32) {
        self.until_failure.store(after.into(), SeqCst);
    }

    pub(crate) fn fail_no_more(&self) {
        self.until_failure.store(-1, SeqCst);
    }

    /// Returns the number of live blocks. Panics if a block was ever freed or resized that was not live, or
    /// with another layout.
    pub(crate) fn live(&self) -> usize {
        assert_eq!(self.mistakes.load(SeqCst), 0, "the fallback got what is not its own, or another layout");
        self.blocks().len()
    }

    fn blocks(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Layout>> {
        self.blocks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn give(&self, layout: Layout, alloc: impl FnOnce() -> *mut u8) -> *mut u8 {
        self.calls.fetch_add(1, SeqCst);
        if self.until_failure.load(SeqCst) >= 0 && self.until_failure.fetch_sub(1, SeqCst) == 0 {
            return null_mut();
        }
        let start = alloc();
        if !start.is_null() {
            self.blocks().insert(start.addr(), layout);
        }
        start
    }

    /// Removes a block from the live ones. Counts a mistake if it is not live with this layout.
    fn take_back(&self, start: *mut u8, layout: Layout) {
        if self.blocks().remove(&start.addr()) != Some(layout) {
            self.mistakes.fetch_add(1, SeqCst);
        }
    }
}

// SAFETY: returns what `System` returns, or null. Its own bookkeeping uses the global allocator, and it is
// never the fallback of that.
unsafe impl GlobalAlloc for &'static Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.give(layout, || unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        self.take_back(ptr, layout);
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.give(layout, || unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        self.give(new_layout, || {
            self.take_back(ptr, layout);
            // SAFETY: the caller's contract.
            let new = unsafe { System.realloc(ptr, layout, new_size) };
            if new.is_null() {
                self.blocks().insert(ptr.addr(), layout);
            }
            new
        })
    }
}
