//! Anything else: memory from the fallback, zeroed by it, and no way to know that a thread exits.
//!
//! There are no guard pages, all threads share one set of counters, and abort texts take std's lock on standard error.

use core::alloc::Layout;
use core::convert::Infallible;
use core::ffi::c_void;
use core::ptr::NonNull;
use std::io::Write;

use super::{OnThreadExit, Source};

/// More than any type in the metadata needs.
const METADATA_ALIGN: usize = 4096;

fn zeroed(bytes: usize, align: usize, source: Source<'_>) -> Option<NonNull<u8>> {
    let layout = Layout::from_size_align(bytes, align).ok()?;
    // SAFETY: neither a reservation nor the metadata is empty.
    NonNull::new(unsafe { source.alloc_zeroed(layout) })
}

/// Zeroed memory, all of it usable: slots start clean because the fallback cleared them, or had them clean.
pub(crate) fn reserve(bytes: usize, align: usize, source: Source<'_>) -> Option<NonNull<u8>> {
    zeroed(bytes, align, source)
}

/// # Safety
///
/// None is needed here: what was reserved is usable.
pub(crate) unsafe fn make_usable(_: NonNull<u8>, _: usize) -> bool {
    true
}

/// # Safety
///
/// It is exactly what `reserve` gave for these figures, and nobody uses it.
pub(crate) unsafe fn release(base: NonNull<u8>, bytes: usize, align: usize, source: Source<'_>) {
    if let Ok(layout) = Layout::from_size_align(bytes, align) {
        // SAFETY: the caller's contract: the same source, the same layout.
        unsafe { source.dealloc(base.as_ptr(), layout) };
    }
}

pub(crate) fn map_zeroed(bytes: usize, source: Source<'_>) -> Option<NonNull<u8>> {
    zeroed(bytes, METADATA_ALIGN, source)
}

pub(crate) fn write_to_stderr(text: &[u8]) {
    // Standard error is unbuffered. A failed write leaves nothing to be done: the process is about to end.
    let _ = std::io::stderr().write_all(text);
}

/// There is none.
#[derive(Clone, Copy)]
pub(crate) struct ExitHook(Infallible);

impl ExitHook {
    pub(crate) fn new(_: OnThreadExit) -> Option<Self> {
        None
    }

    pub(crate) fn watch_this_thread(self, _: NonNull<c_void>) -> bool {
        match self.0 {}
    }
}
