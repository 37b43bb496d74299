//! The same questions as `linux.rs` has, for systems that know few of the answers.
//!
//! Memory can be made resident by touching it, locked where there is `mlock`, and dropped where there is `mmap`. The rest is
//! denied as unsupported, and no figures are read back.

use core::ffi::CStr;
use core::ptr::NonNull;

use super::errno::Errno;
use super::{PageFigures, system, touch};

/// No huge pages is what there is anyway.
pub(crate) fn use_huge_pages(_: NonNull<[u8]>, yes: bool) -> Result<(), Errno> {
    if yes { Err(Errno::UNSUPPORTED) } else { Ok(()) }
}

/// Not here.
pub(crate) fn leave_out_of_core_dumps(_: NonNull<[u8]>) -> Result<(), Errno> {
    Err(Errno::UNSUPPORTED)
}

/// Makes `pages` resident by touching each.
///
/// # Safety
///
/// They are mapped, readable and writable, for the length of the call. Others may use them meanwhile.
pub(crate) unsafe fn populate(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    unsafe { touch::touch(pages, system::page_bytes()) };
    Ok(())
}

/// Makes `pages` resident and keeps them from being paged out, where there is a call for it.
pub(crate) fn lock(pages: NonNull<[u8]>) -> Result<(), Errno> {
    system::lock(pages)
}

/// Not here.
pub(crate) fn name(_: NonNull<[u8]>, _: &'static CStr) {}

/// Whether [`discard`] leaves all that was asked for the pages as it is, locked ones above all.
pub(crate) const DISCARD_KEEPS_REQUESTS: bool = false;

/// Drops what is in `pages`, by mapping them anew: what Linux has a call for need not zero elsewhere. Requests made for them
/// before are forgotten.
///
/// # Safety
///
/// They are mapped, page-aligned, and nobody uses them.
pub(crate) unsafe fn discard(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    unsafe { system::map_anew(pages) }
}

/// Bytes of `pages` that have memory: all of them, for want of a better answer.
pub(crate) fn resident(pages: NonNull<[u8]>) -> u64 {
    pages.len() as u64
}

/// Nothing is known.
pub(crate) fn page_figures(_: NonNull<[u8]>) -> (PageFigures, Result<(), Errno>) {
    (PageFigures::default(), Err(Errno::UNSUPPORTED))
}
