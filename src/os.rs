//! The operating system, and as little of it as the crate needs: memory, standard error, the exit of a
//! thread.
//!
//! | backend | memory | exit of a thread | fence | requests and figures about memory |
//! |---|---|---|---|---|
//! | `linux.rs`: Linux and Android | `mmap`, `mprotect`, `munmap` | a pthread key | `membarrier` | `madvise`, `mlock2`, `/proc` |
//! | `other_unix.rs` | the same | a pthread key on Apple's systems, else unknown | none | `mlock` |
//! | `windows.rs` | `VirtualAlloc`, `VirtualFree` | a callback of the loader | `FlushProcessWriteBuffers` | `VirtualLock`, `QueryWorkingSetEx` |
//! | `none.rs`: all other systems | from the fallback, no guard pages | unknown | none | none |
//!
//! `--cfg framepool_os="none"` builds the last row on any system. A Unix without `mmap` needs it.
//!
//! The module `backend` is one of them. What this file re-exports of it is the list of what every backend provides.

pub(crate) mod asan;
mod errno;
mod limits;
pub(crate) mod local;
mod touch;
mod valgrind;

// Pieces that several backends share.
#[cfg(unix)]
mod clock;
#[cfg(not(all(target_os = "linux", target_env = "gnu", not(framepool_os = "none"))))]
mod other_heap;
#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none"))))]
mod portable;
#[cfg(unix)]
mod signals;
#[cfg(all(unix, not(framepool_os = "none")))]
pub(crate) mod unix;
#[cfg(any(not(any(target_os = "linux", target_os = "android", windows)), framepool_os = "none"))]
mod unknown;

#[cfg(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none")))]
mod linux;
#[cfg(any(not(any(unix, windows)), framepool_os = "none"))]
mod none;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android")), not(framepool_os = "none")))]
mod other_unix;
#[cfg(all(windows, not(framepool_os = "none")))]
mod windows;

#[cfg(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none")))]
use linux as backend;
#[cfg(any(not(any(unix, windows)), framepool_os = "none"))]
use none as backend;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android")), not(framepool_os = "none")))]
use other_unix as backend;
#[cfg(all(windows, not(framepool_os = "none")))]
use windows as backend;

// Memory.
#[cfg(not(test))]
pub(crate) use backend::page_bytes;
pub(crate) use backend::{map_guarded, map_zeroed, reserve, unmap};
// Requests about memory.
pub(crate) use backend::{leave_out_of_core_dumps, lock, name, populate, use_huge_pages};
// How memory goes back to the system.
pub(crate) use backend::{DISCARD_KEEPS_REQUESTS, DISCARD_LEAVES_ZEROS, discard, may_discard};
// Figures about memory, and why the system denied it.
pub(crate) use backend::{huge_page_bytes, limit_behind, page_figures, page_figures_of, resident};
// Threads and processes, and what magazines need of them.
pub(crate) use backend::{
    ExitHook, can_fence_all, fence_all, is_first_thread, is_gone, map_wiped_on_fork, this_process,
    this_thread, with_signals_blocked,
};
// The constructor, the environment, files, and standard error.
#[cfg(all(windows, not(framepool_os = "none")))]
pub(crate) use backend::at_exit;
pub(crate) use backend::{ExitOutput, at_load, read_file, variable, write_to_stderr};
// Errors: `Errno` uses them.
use backend::{error_words, last_error, set_last_error};
// Clocks.
pub(crate) use backend::{monotonic_nanos, process_nanos};
// The heap of the C library.
pub(crate) use backend::{CONSOLIDATES, CONSOLIDATES_FROM, consolidate_heap};

pub(crate) use errno::{Errno, keeping_errno};
pub use limits::Limit;
pub(crate) use valgrind::is_under_valgrind;

use core::alloc::GlobalAlloc;
use core::ptr::NonNull;

/// The source of memory on systems without `mmap`: the fallback.
pub(crate) type Source<'a> = &'a dyn GlobalAlloc;

/// A mapping: the pages that were requested, and the block that the system gave for them.
#[derive(Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) pages: NonNull<[u8]>,
    /// The block that `pages` was cut out of. It equals `pages` if nothing was cut off.
    whole: NonNull<[u8]>,
}

impl Mapping {
    pub(crate) fn base(self) -> NonNull<u8> {
        self.pages.cast()
    }
}

/// A function that runs when a watched thread exits. Its argument is the value that was given to watch the
/// thread.
pub(crate) type OnThreadExit = unsafe extern "C" fn(*mut core::ffi::c_void);

/// The functions that the constructor has the system call.
pub(crate) struct Hooks {
    pub(crate) thread_exit: OnThreadExit,
    /// Runs in the child of a `fork`, on the thread that called it.
    pub(crate) child: unsafe extern "C" fn(),
    pub(crate) program_exit: extern "C" fn(),
}

/// The state of a range of memory as the system reports it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageFigures {
    pub(crate) resident: u64,
    pub(crate) huge: u64,
    pub(crate) locked: u64,
}

#[cfg(test)]
pub(crate) mod coarse_pages;
#[cfg(test)]
pub(crate) use coarse_pages::page_bytes;
#[cfg(test)]
mod tests;
