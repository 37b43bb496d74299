//! The marks that tell an address sanitizer which bytes of the slots a program may use. The sanitizer stops a
//! program that reads or writes a free slot, or bytes of a live slot beyond the requested size.
//!
//! The marks exist only with `--cfg framepool_sanitizer="address"`, for programs built with
//! `-Zsanitizer=address`: see `tests/sanitized.sh`. Otherwise every call here does nothing. (The sanitizer
//! knows the C library's blocks by itself, and so the fallback's.)

/// Allows the program to use the first `bytes` bytes of a slot, and forbids the rest of the slot.
#[inline(always)]
pub(crate) fn unpoison_prefix(start: *mut u8, bytes: usize, slot_bytes: usize) {
    imp::unpoison(start, bytes);
    imp::poison(start.wrapping_add(bytes), slot_bytes - bytes);
}

/// Forbids the program to use `bytes` bytes of slots until they are [unpoisoned](unpoison_prefix).
#[inline(always)]
pub(crate) fn poison(start: *mut u8, bytes: usize) {
    imp::poison(start, bytes);
}

/// Lifts the marks from memory that will serve another purpose.
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

    pub(super) fn unpoison(start: *mut u8, bytes: usize) {
        __asan_unpoison_memory_region(start, bytes);
    }

    pub(super) fn poison(start: *mut u8, bytes: usize) {
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
