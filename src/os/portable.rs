//! The requests of `linux.rs`, for systems that support few of them.
//!
//! Memory can be made resident by touching it, locked if there is `mlock`, and dropped if there is `mmap`.
//! Every other request is denied as unsupported, and no figures are read back.

use core::ffi::CStr;
use core::ptr::NonNull;

use super::errno::Errno;
use super::{PageFigures, system, touch};

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
    unsafe { touch::touch(pages, system::page_bytes()) };
    Ok(())
}

/// Makes `pages` resident and keeps them from being paged out, if there is a call for it.
pub(crate) fn lock(pages: NonNull<[u8]>) -> Result<(), Errno> {
    system::lock(pages)
}

/// Does nothing: there is no call for it.
pub(crate) fn name(_: NonNull<[u8]>, _: &'static CStr) {}

/// Whether the requests made for pages, locking above all, outlast [`discard`].
pub(crate) const DISCARD_KEEPS_REQUESTS: bool = false;

/// Drops the contents of `pages` by mapping them anew, because the call that Linux has need not zero pages
/// elsewhere. Requests made for the pages before are lost.
///
/// # Safety
///
/// The pages are mapped and page-aligned, and no thread uses them.
pub(crate) unsafe fn discard(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    unsafe { system::map_anew(pages) }
}

/// Returns the bytes of `pages` that have memory. All of them count, because the system does not report it.
pub(crate) fn resident(pages: NonNull<[u8]>) -> u64 {
    pages.len() as u64
}

/// Returns zeros and [`Errno::UNSUPPORTED`].
pub(crate) fn page_figures(_: NonNull<[u8]>) -> (PageFigures, Result<(), Errno>) {
    (PageFigures::default(), Err(Errno::UNSUPPORTED))
}

/// Returns [`Errno::UNSUPPORTED`].
pub(crate) fn page_figures_of(_: u32, _: core::ops::Range<usize>) -> Result<PageFigures, Errno> {
    Err(Errno::UNSUPPORTED)
}
