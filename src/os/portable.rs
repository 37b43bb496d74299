//! The requests about memory that only Linux has a call for: denied as unsupported, or met in a simpler way.

use core::ffi::CStr;
use core::ops::Range;
use core::ptr::NonNull;

use super::{Errno, Limit, PageFigures, page_bytes, touch};

/// Denies huge pages. Small pages are what these systems use anyway.
pub(crate) fn use_huge_pages(_: NonNull<[u8]>, yes: bool) -> Result<(), Errno> {
    if yes { Err(Errno::UNSUPPORTED) } else { Ok(()) }
}

/// Returns [`Errno::UNSUPPORTED`].
pub(crate) fn leave_out_of_core_dumps(_: NonNull<[u8]>) -> Result<(), Errno> {
    Err(Errno::UNSUPPORTED)
}

/// Makes `pages` resident by touching each page.
///
/// # Safety
///
/// The pages are mapped, readable and writable, for the length of the call. Other threads may use them
/// meanwhile.
pub(crate) unsafe fn populate(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    unsafe { touch::touch(pages, page_bytes()) };
    Ok(())
}

/// Does nothing: there is no call for it.
pub(crate) fn name(_: NonNull<[u8]>, _: &'static CStr) {}

/// Returns [`Errno::UNSUPPORTED`].
pub(crate) fn page_figures_of(_: u32, _: Range<usize>) -> Result<PageFigures, Errno> {
    Err(Errno::UNSUPPORTED)
}

/// Returns `None`: systems differ in which limits they have and what counts against them.
pub(crate) fn limit_behind(_: usize, _: usize) -> Option<Limit> {
    None
}
