//! What an address sanitizer is told of the slots, so that it stops a program that reads or writes where it must not: free slots, and of live
//! ones what was not asked for, to the byte.
//!
//! Only with `--cfg framepool_sanitizer="address"`, for programs built with `-Zsanitizer=address`; see `tests/sanitized.sh`.
//! Otherwise every call here is nothing. (The sanitizer knows the C library's blocks by itself, and so the fallback's.)

/// The program may use the first `bytes` of a slot from now on.
#[inline(always)]
pub(crate) fn unpoison_prefix(start: *mut u8, bytes: usize, slot_bytes: usize) {
    imp::unpoison(start, bytes);
    imp::poison(start.wrapping_add(bytes), slot_bytes - bytes);
}

/// Nobody may use `bytes` bytes of slots from now on, unless they are [unpoisoned](unpoison_prefix).
#[inline(always)]
pub(crate) fn poison(start: *mut u8, bytes: usize) {
    imp::poison(start, bytes);
}

/// The memory is about to be something else's.
#[inline(always)]
pub(crate) fn unpoison(start: *mut u8, bytes: usize) {
    imp::unpoison(start, bytes);
}

/// Whether the pools themselves may write to a free slot.
pub(super) const ALLOWS_TOUCHING: bool = cfg!(not(framepool_sanitizer = "address"));

#[cfg(framepool_sanitizer = "address")]
mod imp {
    unsafe extern "C" {
        safe fn __asan_poison_memory_region(start: *const u8, bytes: usize);
        safe fn __asan_unpoison_memory_region(start: *const u8, bytes: usize);
    }

    fn unpoison(start: *mut u8, bytes: usize) {
        __asan_unpoison_memory_region(start, bytes);
    }

    fn poison(start: *mut u8, bytes: usize) {
        __asan_poison_memory_region(start, bytes);
    }
}

#[cfg(not(framepool_sanitizer = "address"))]
mod imp {
    #[inline(always)]
    pub(super) fn unpoison(_: *mut u8, _: usize) {}

    #[inline(always)]
    pub(super) fn poison(_: *mut u8, _: usize) {}
}
