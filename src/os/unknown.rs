//! The functions of a backend for what its system does not tell: figures of memory, and which threads are gone. It has
//! no fence either, so there are no magazines.

use core::ptr::NonNull;

use super::{Errno, PageFigures};

/// Returns the bytes of `pages` that have memory. All of them count, because the system does not report it.
pub(crate) fn resident(pages: NonNull<[u8]>) -> u64 {
    pages.len() as u64
}

/// Returns zeros and [`Errno::UNSUPPORTED`].
pub(crate) fn page_figures(_: NonNull<[u8]>) -> (PageFigures, Result<(), Errno>) {
    (PageFigures::default(), Err(Errno::UNSUPPORTED))
}

/// Returns 0: the bytes of a huge page are not known.
pub(crate) fn huge_page_bytes() -> u64 {
    0
}

/// Returns `false`, so there are no magazines.
pub(crate) fn can_fence_all() -> bool {
    false
}

/// Returns `false`. It is never called, because magazines are off.
#[must_use]
pub(crate) fn fence_all() -> bool {
    false
}

/// Returns `None`: no mark tells a child from its parent.
pub(crate) fn map_wiped_on_fork(_: usize) -> Option<NonNull<u8>> {
    None
}

/// Returns 0: the thread has no number.
pub(crate) fn this_thread() -> u64 {
    0
}

/// Returns `false`.
pub(crate) fn is_first_thread() -> bool {
    false
}

/// Returns `false`: no thread is known to be gone.
pub(crate) fn is_gone(_: u64, _: u64) -> bool {
    false
}
