//! A discard tried on a page of our own, because a system may say "done" and do nothing.
//!
//! Emulators, library operating systems and filters of system calls (seccomp) answer 0 to a `madvise` that they ignore. A slot that was taken
//! for zeroed on such an answer would show its last frame to the next `alloc_zeroed`. A few system calls, never on a hit.

use super::{calls, map_zeroed, page_bytes, requests, unmap};
use std::alloc::System;

/// Whether [`discard`](super::discard) really leaves zeros right now: writes to a new page, discards it, and reads it.
///
/// `false` too where there is no page for the trial.
pub(crate) fn discard_leaves_zeros() -> bool {
    const MARK: u8 = 0xA5;
    let bytes = page_bytes();
    let Some(page) = map_zeroed(bytes, &System) else { return false };
    let (first, last) = (page.base().as_ptr(), page.base().as_ptr().wrapping_add(bytes - 1));
    // SAFETY: both bytes lie in the page, which nobody else knows. Volatile, so that each access is made. The page is not used after it was
    // unmapped.
    unsafe {
        // A process that has all its future memory locked (`mlockall`) has this page locked, and locked pages are not discarded.
        calls::munlock(first.cast(), bytes);
        first.write_volatile(MARK);
        last.write_volatile(MARK);
        let leaves_zeros =
            requests::discard(page.pages).is_ok() && first.read_volatile() == 0 && last.read_volatile() == 0;
        unmap(page, &System);
        leaves_zeros
    }
}
