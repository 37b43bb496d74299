//! Anything else: memory from the fallback, zeroed by it, and no way to know that a thread exits.
//!
//! There are no guard pages, all threads share one set of counters, and abort texts take std's lock on standard error.

use core::alloc::Layout;
use core::convert::Infallible;
use core::ffi::c_void;
use core::ops::Range;
use core::ptr::NonNull;
use std::io::Write;

use super::{Errno, Mapping, OnThreadExit, Source};

/// More than any type in the metadata needs.
const METADATA_ALIGN: usize = 4096;

/// `bytes` of zeroed memory, all of it usable, at a multiple of `align`, a power of two.
///
/// Cut out of a block of little alignment: fallbacks tend to have large ones zeroed by the system, untouched, but to
/// clear over-aligned ones themselves.
pub(crate) fn reserve(
    bytes: usize,
    align: usize,
    _usable: impl Iterator<Item = Range<usize>>,
    source: Source<'_>,
) -> Option<Mapping> {
    let layout = Layout::from_size_align(bytes.checked_add(align)?, 1).ok()?;
    // SAFETY: not empty.
    let base = NonNull::new(unsafe { source.alloc_zeroed(layout) })?;
    // SAFETY: less than `align` bytes in, so that `bytes` are left.
    let aligned = unsafe { base.byte_add(base.as_ptr().align_offset(align)) };
    Some(Mapping {
        pages: NonNull::slice_from_raw_parts(aligned, bytes),
        whole: NonNull::slice_from_raw_parts(base, layout.size()),
    })
}

/// `bytes` of zeroed memory.
pub(crate) fn map_zeroed(bytes: usize, source: Source<'_>) -> Option<Mapping> {
    reserve(bytes, METADATA_ALIGN, core::iter::empty(), source)
}

/// Gives a mapping back.
///
/// # Safety
///
/// It was made here out of this source, and nobody uses it any more.
pub(crate) unsafe fn unmap(mapping: Mapping, source: Source<'_>) {
    // SAFETY: such a block was allocated, when the mapping was made.
    unsafe {
        let layout = Layout::from_size_align_unchecked(mapping.whole.len(), 1);
        source.dealloc(mapping.whole.cast().as_ptr(), layout);
    }
}

/// Bytes of a page, or less: no known system has smaller ones.
pub(crate) fn page_bytes() -> usize {
    4096
}

/// There is no way to.
pub(crate) fn lock(_: NonNull<[u8]>) -> Result<(), Errno> {
    Err(Errno::UNSUPPORTED)
}

/// There is no way to.
///
/// # Safety
///
/// None needed.
pub(super) unsafe fn map_anew(_: NonNull<[u8]>) -> Result<(), Errno> {
    Err(Errno::UNSUPPORTED)
}

/// There is nothing to be tried: every discard is denied.
pub(crate) fn discard_leaves_zeros() -> bool {
    false
}

pub(crate) fn write_to_stderr(text: &[u8]) {
    // Standard error is unbuffered. A failed write leaves nothing to be done: the process is about to end.
    let _ = std::io::stderr().write_all(text);
}

/// Is not needed: nothing is asked for by the environment.
#[derive(Clone, Copy)]
pub(crate) struct KeptStderr(Infallible);

impl KeptStderr {
    pub(crate) fn new() -> Option<Self> {
        None
    }

    pub(crate) fn write(self, _: &[u8]) {
        match self.0 {}
    }
}

/// Is not asked: std's way to it allocates.
pub(crate) fn variable() -> Option<&'static [u8]> {
    None
}

#[cfg(unix)]
pub(crate) fn keep_variable() {}

/// There is no way to.
pub(crate) fn at_exit(_: extern "C" fn()) {}

/// There is none.
#[derive(Clone, Copy)]
pub(crate) struct ExitHook(Infallible);

impl ExitHook {
    #[cfg(unix)]
    pub(crate) fn install(_: OnThreadExit) {}

    pub(crate) fn get() -> Option<Self> {
        None
    }

    pub(crate) fn is_never() -> bool {
        true
    }

    pub(crate) fn watch_this_thread(self, _: NonNull<c_void>) -> bool {
        match self.0 {}
    }
}
