//! Larger pages than the system's, for tests. What may be done with pages of 64 KiB may be done with sixteen pages
//! of 4 KiB at once.

#![allow(dead_code, reason = "not every system has a test that sets them")]

use core::cell::Cell;

use super::backend;

thread_local! {
    static PAGE_BYTES: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Returns what this thread's test has set, or the system's page size.
pub(crate) fn page_bytes() -> usize {
    PAGE_BYTES.get().unwrap_or_else(backend::page_bytes)
}

/// Runs `f` as if pages had `bytes` bytes, a multiple of the system's page size.
pub(crate) fn with_page_bytes<R>(bytes: usize, f: impl FnOnce() -> R) -> R {
    assert!(bytes.is_multiple_of(backend::page_bytes()));
    PAGE_BYTES.set(Some(bytes));
    let result = f();
    PAGE_BYTES.set(None);
    result
}
