//! The functions of `os` for systems that have no file of their own here: memory comes zeroed from the
//! fallback, and the exit of a thread is not reported.
//!
//! There are no guard pages, all threads share one set of counters, and abort texts take std's lock on
//! standard error.

use core::alloc::Layout;
use core::convert::Infallible;
use core::ffi::{CStr, c_void};
use core::ops::Range;
use core::ptr::NonNull;
use std::io::Write;

#[cfg(unix)]
pub(crate) use super::clock::{monotonic_nanos, process_nanos};
pub(crate) use super::other_heap::{CONSOLIDATES, CONSOLIDATES_FROM, consolidate_heap};
pub(crate) use super::portable::{
    leave_out_of_core_dumps, limit_behind, name, page_figures_of, populate, use_huge_pages,
};
#[cfg(unix)]
pub(crate) use super::signals::with_signals_blocked;
pub(crate) use super::unknown::{
    can_fence_all, fence_all, huge_page_bytes, is_first_thread, is_gone, map_wiped_on_fork, page_figures,
    resident, this_thread,
};
use super::{Errno, Hooks, Mapping, Source};

/// The alignment of memory for the metadata: more than any type in it needs.
const METADATA_ALIGN: usize = 4096;

/// Takes `bytes` bytes of zeroed memory, all of it usable, at a multiple of `align`, a power of two.
///
/// The memory is cut out of a block with an alignment of 1. Fallbacks tend to take large blocks from the
/// system, zeroed and untouched, but to clear over-aligned blocks themselves.
pub(crate) fn reserve(
    bytes: usize,
    align: usize,
    _usable: impl Iterator<Item = Range<usize>>,
    source: Source<'_>,
) -> Option<Mapping> {
    let layout = Layout::from_size_align(bytes.checked_add(align)?, 1).ok()?;
    // SAFETY: the layout is not empty.
    let base = NonNull::new(unsafe { source.alloc_zeroed(layout) })?;
    // SAFETY: the aligned start is less than `align` bytes in, so `bytes` bytes are left.
    let aligned = unsafe { base.byte_add(base.as_ptr().align_offset(align)) };
    Some(Mapping {
        pages: NonNull::slice_from_raw_parts(aligned, bytes),
        whole: NonNull::slice_from_raw_parts(base, layout.size()),
    })
}

/// Takes `bytes` bytes of zeroed memory.
pub(crate) fn map_zeroed(bytes: usize, source: Source<'_>) -> Option<Mapping> {
    reserve(bytes, METADATA_ALIGN, core::iter::empty(), source)
}

/// Takes `bytes` bytes of zeroed memory, without guard pages.
pub(crate) fn map_guarded(bytes: usize, source: Source<'_>) -> Option<Mapping> {
    map_zeroed(bytes, source)
}

/// Gives a mapping back.
///
/// # Safety
///
/// The mapping was made here out of this source, and no thread uses it any more.
pub(crate) unsafe fn unmap(mapping: Mapping, source: Source<'_>) {
    // SAFETY: a block of this layout was allocated when the mapping was made.
    unsafe {
        let layout = Layout::from_size_align_unchecked(mapping.whole.len(), 1);
        source.dealloc(mapping.whole.cast().as_ptr(), layout);
    }
}

/// Returns the bytes of a page, or fewer: no known system has smaller pages.
pub(crate) fn page_bytes() -> usize {
    4096
}

/// Returns [`Errno::UNSUPPORTED`]: there is no call for it.
pub(crate) fn lock(_: NonNull<[u8]>) -> Result<(), Errno> {
    Err(Errno::UNSUPPORTED)
}

/// Whether the requests made for pages outlast [`discard`].
pub(crate) const DISCARD_KEEPS_REQUESTS: bool = false;

/// Whether pages read as zeros after [`discard`].
pub(crate) const DISCARD_LEAVES_ZEROS: bool = false;

/// Returns `false`: every discard is denied.
pub(crate) fn may_discard() -> bool {
    false
}

/// Returns [`Errno::UNSUPPORTED`]: there is no call for it.
///
/// # Safety
///
/// No requirements.
pub(crate) unsafe fn discard(_: NonNull<[u8]>) -> Result<(), Errno> {
    Err(Errno::UNSUPPORTED)
}

/// Returns the number of this process; 0 if the system has no such numbers.
pub(crate) fn this_process() -> u64 {
    if cfg!(unix) { std::process::id().into() } else { 0 }
}

/// Returns 0: no error of the system is looked at.
pub(crate) fn last_error() -> i32 {
    0
}

/// Does nothing.
pub(crate) fn set_last_error(_: i32) {}

/// Returns the only error that files have here, in words.
pub(crate) fn error_words(_: i32) -> Option<&'static str> {
    Some("not on this system")
}

pub(crate) fn write_to_stderr(text: &[u8]) {
    // Standard error is unbuffered. If the write fails, nothing can be done: the process is about to end.
    let _ = std::io::stderr().write_all(text);
}

/// An output for the end of the program, which does not exist here: the environment cannot request any.
#[derive(Clone, Copy)]
pub(crate) struct ExitOutput(Infallible);

impl ExitOutput {
    pub(crate) fn standard_error() -> Option<Self> {
        None
    }

    pub(crate) fn file(_: &CStr) -> Result<Self, Errno> {
        Err(Errno::UNSUPPORTED)
    }

    pub(crate) fn is_file(self) -> bool {
        match self.0 {}
    }

    pub(crate) fn may_write(self) -> bool {
        match self.0 {}
    }

    pub(crate) fn identity(self) -> Infallible {
        self.0
    }

    pub(crate) fn write(self, _: &[u8], _: bool) -> Result<(), Errno> {
        match self.0 {}
    }
}

/// Returns [`Errno::UNSUPPORTED`]: the environment cannot name a file.
pub(crate) fn read_file(_: &CStr, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::UNSUPPORTED)
}

/// Returns `None`: reading the variable through std would allocate.
pub(crate) fn variable() -> Option<&'static [u8]> {
    None
}

/// A hook for the exit of a thread, which does not exist here.
#[derive(Clone, Copy)]
pub(crate) struct ExitHook(Infallible);

impl ExitHook {
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

/// Returns 0: the system has no such clock here.
#[cfg(not(unix))]
pub(crate) fn monotonic_nanos() -> u64 {
    0
}

/// Returns `None`: the system does not tell.
#[cfg(not(unix))]
pub(crate) fn process_nanos() -> Option<u64> {
    None
}

/// Runs `f`. The system has no signals.
#[cfg(not(unix))]
pub(crate) fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Does nothing.
pub(crate) fn at_load(hooks: &Hooks) {
    let _ = (hooks.thread_exit, hooks.child, hooks.program_exit);
}
