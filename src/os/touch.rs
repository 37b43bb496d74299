//! Makes memory resident by touching it: writes to each page without changing it.
//!
//! This is the last resort, for systems that have no call for it. Other threads may be writing to the same
//! bytes. So one atomic instruction touches a page and stores the value that it finds: no other thread's
//! write is lost. It costs a page fault for each page.

use core::ptr::NonNull;
// Below `sync`, and always the processor's own: a model checker knows no memory that a system maps.
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::os::asan;

/// Makes every page of `pages` resident and private to this process.
///
/// # Safety
///
/// The pages are mapped, readable and writable, for the length of the call. `page_bytes` divides the system's
/// page size.
pub(super) unsafe fn touch(pages: NonNull<[u8]>, page_bytes: usize) {
    if !asan::ALLOWS_TOUCHING {
        return;
    }
    let start = pages.cast::<u8>();
    for offset in (0..pages.len()).step_by(page_bytes) {
        // SAFETY: the byte is mapped by contract, and a byte is always aligned. Another thread may write to
        // it at the same moment, not atomically. No language allows that, but every processor does: the
        // exchange is one instruction, and the value that it stores is the one that it compared with.
        let byte = unsafe { AtomicU8::from_ptr(start.add(offset).as_ptr()) };
        let found = byte.load(Relaxed);
        // A plain read would map the shared page of zeros, and `fetch_or(0)` is compiled to such a read. If
        // the exchange fails, another thread has written, so the page is resident all the same.
        let _ = byte.compare_exchange(found, found, Relaxed, Relaxed);
    }
}
