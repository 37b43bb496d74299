//! Every Unix but Linux and Android: no fence, so no magazines, and few requests.

use core::ptr::NonNull;

pub(crate) use super::clock::{monotonic_nanos, process_nanos};
pub(crate) use super::other_heap::{CONSOLIDATES, CONSOLIDATES_FROM, consolidate_heap};
pub(crate) use super::portable::{
    leave_out_of_core_dumps, limit_behind, name, page_figures_of, populate, use_huge_pages,
};
pub(crate) use super::signals::with_signals_blocked;
use super::unix::calls;
pub(crate) use super::unix::{
    ExitHook, ExitOutput, error_words, last_error, lock, map_guarded, map_zeroed, may_discard, page_bytes,
    read_file, reserve, set_last_error, unmap, variable, write_to_stderr,
};
pub(crate) use super::unknown::{
    can_fence_all, fence_all, huge_page_bytes, is_first_thread, is_gone, map_wiped_on_fork, page_figures,
    resident, this_thread,
};
use super::{Errno, Hooks};

/// Whether the requests made for pages, locking above all, outlast [`discard`].
pub(crate) const DISCARD_KEEPS_REQUESTS: bool = false;

/// Whether pages read as zeros after [`discard`].
pub(crate) const DISCARD_LEAVES_ZEROS: bool = true;

/// Drops the contents of `pages` by mapping them anew, because the call that Linux has need not zero pages
/// elsewhere. Requests made for the pages before are lost.
///
/// # Safety
///
/// The pages are a page-aligned piece of a mapping made here, and no thread uses them.
pub(crate) unsafe fn discard(pages: NonNull<[u8]>) -> Result<(), Errno> {
    let (protection, fixed) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_FIXED);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | fixed | super::unix::NO_RESERVE;
    // SAFETY: the caller gives up the pages that are replaced.
    let base = unsafe { calls::mmap(pages.cast().as_ptr(), pages.len(), protection, flags) };
    if base == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(()) }
}

/// Returns the number of this process.
pub(crate) fn this_process() -> u64 {
    std::process::id().into()
}

/// Does what the constructor has to do.
pub(crate) fn at_load(hooks: &Hooks) {
    // Not called: without magazines there is nothing to settle.
    let _ = hooks.child;
    super::unix::at_load(hooks);
}
