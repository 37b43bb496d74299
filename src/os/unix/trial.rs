//! A trial of `discard` on a page of the crate's own, because a system may report success and do nothing.
//!
//! Emulators, library operating systems and filters of system calls (seccomp) answer 0 to a `madvise` that
//! they ignore. If a slot counted as zeroed on such an answer, the next `alloc_zeroed` would show the slot's
//! last frame. A trial makes four system calls, never on a hit.

use super::super::discard;
use super::{calls, map_zeroed, page_bytes, unmap};
use std::alloc::System;

/// Whether [`discard`] leaves zeros at this moment: writes to a new page, discards it, and
/// reads it.
///
/// `false` too if there is no page for the trial.
pub(crate) fn may_discard() -> bool {
    const MARK: u8 = 0xA5;
    let bytes = page_bytes();
    let Some(page) = map_zeroed(bytes, &System) else { return false };
    let (first, last) = (page.base().as_ptr(), page.base().as_ptr().wrapping_add(bytes - 1));
    // SAFETY: both bytes lie in the page, which no other thread knows. The accesses are volatile, so that
    // each one is made. The page is not used after it was unmapped.
    unsafe {
        // If the process has all its future memory locked (`mlockall`), this page is locked, and locked pages
        // are not discarded.
        calls::munlock(first.cast(), bytes);
        first.write_volatile(MARK);
        last.write_volatile(MARK);
        let leaves_zeros =
            discard(page.pages).is_ok() && first.read_volatile() == 0 && last.read_volatile() == 0;
        unmap(page, &System);
        leaves_zeros
    }
}
