//! Windows: memory, threads, files and the loader's callbacks, all through kernel32.
//!
//! Called by start-up, by `prewarm` and `trim`, by a thread's exit, and by texts at abort and exit; never on a hit.
//! Nothing here allocates or goes through the C library. Wine has all of it, but for the fence: see `fence.rs`.
//!
//! The pools' memory is committed when they are reserved, so it counts against the system's commit limit (the page
//! file and the memory) although most slots are never touched. `trim` gives memory back, and keeps it committed: a
//! commit that was given up might be denied the next time, and the slot would be lost.

mod api;
mod clock;
mod fence;
mod files;
mod memory;
mod threads;
mod working_set;

pub(crate) use super::other_heap::{CONSOLIDATES, CONSOLIDATES_FROM, consolidate_heap};
pub(crate) use super::portable::{
    leave_out_of_core_dumps, limit_behind, name, page_figures_of, populate, use_huge_pages,
};
pub(crate) use clock::{monotonic_nanos, process_nanos};
pub(crate) use fence::{can_fence_all, fence_all, map_wiped_on_fork};
pub(crate) use files::{ExitOutput, read_file, variable, write_to_stderr};
pub(crate) use memory::{
    DISCARD_KEEPS_REQUESTS, DISCARD_LEAVES_ZEROS, discard, lock, map_guarded, map_zeroed, may_discard,
    page_bytes, reserve, unmap,
};
pub(crate) use threads::{ExitHook, at_exit, at_load, is_first_thread, is_gone, this_process, this_thread};
pub(crate) use working_set::{huge_page_bytes, page_figures, resident};

/// Returns this thread's last error.
pub(crate) fn last_error() -> i32 {
    // SAFETY: the call takes nothing, and cannot fail.
    unsafe { api::GetLastError() }.cast_signed()
}

/// Sets this thread's last error.
pub(crate) fn set_last_error(code: i32) {
    // SAFETY: the call takes any number.
    unsafe { api::SetLastError(code.cast_unsigned()) };
}

/// Returns an error in words, for those that a file may cause.
pub(crate) fn error_words(code: i32) -> Option<&'static str> {
    Some(match code {
        2 => "no such file or folder",
        3 => "a part of the path is no folder",
        4 => "too many open files",
        5 => "permission denied, or it is a folder",
        19 => "the file system is read-only",
        32 | 33 => "another program keeps it from being used",
        39 | 112 => "no space left",
        123 | 161 => "no such name is allowed",
        206 => "the path is too long",
        api::ERROR_BAD_FILE_TYPE => "it is no file",
        _ => return None,
    })
}

/// Runs `f`. The system has no signals.
pub(crate) fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    f()
}
