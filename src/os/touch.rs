//! The lowest rung of making memory resident: write to each page of it without changing what it says.
//!
//! For systems that have no call for it. Other threads may be writing to the same bytes, so a page is touched by
//! one atomic instruction that stores what it finds: nothing that anybody wrote is lost. Costs a page fault a page.

use core::ptr::NonNull;
// Below `sync`, and only ever the processor's own: a model checker knows no memory that a system maps.
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::os::asan;

/// Makes every page of `pages` resident and this process's own.
///
/// # Safety
///
/// The pages are mapped, readable and writable, for the length of the call; `page_bytes` divides the system's page size.
pub(super) unsafe fn touch(pages: NonNull<[u8]>, page_bytes: usize) {
    if !asan::ALLOWS_TOUCHING {
        return;
    }
    let start = pages.cast::<u8>();
    for offset in (0..pages.len()).step_by(page_bytes) {
        // SAFETY: mapped by contract, and a byte is always aligned. That others write to it at the same moment, not
        // atomically, is what no language allows and every processor does: the exchange is one instruction, and the
        // value it stores is the one that it compared with.
        let byte = unsafe { AtomicU8::from_ptr(start.add(offset).as_ptr()) };
        let found = byte.load(Relaxed);
        // A plain read would map the page of zeros that all share, and `fetch_or(0)` is compiled to such a read. An exchange
        // that fails lost to another thread's write, so the page is there all the same.
        let _ = byte.compare_exchange(found, found, Relaxed, Relaxed);
    }
}
