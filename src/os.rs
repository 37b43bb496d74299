//! The operating system, and as little of it as the crate needs: memory, standard error, the exit of a
//! thread.
//!
//! | system | memory | exit of a thread | requests and figures about memory |
//! |---|---|---|---|
//! | Linux (`unix.rs`, `linux.rs`, `pin.rs`) | `mmap`, `mprotect`, `munmap` | a pthread key | `madvise`, `mlock2`, `/proc` |
//! | other Unix (`unix.rs`, `portable.rs`) | like Linux | like Linux on Apple's systems, else unknown | `mlock` |
//! | all other systems (`none.rs`, `portable.rs`) | from the fallback, no guard pages | unknown | none |
//!
//! `--cfg framepool_os="none"` builds the last row on any system. A Unix without `mmap` needs it.

pub(crate) mod asan;
#[cfg(all(unix, not(framepool_os = "none")))]
pub(crate) mod calls;
mod clock;
mod errno;
mod fence;
#[cfg(all(unix, not(framepool_os = "none")))]
mod files;
#[cfg_attr(
    not(all(target_os = "linux", target_env = "gnu", not(framepool_os = "none"))),
    path = "os/other_heap.rs"
)]
mod glibc;
mod limits;
#[cfg(all(unix, not(framepool_os = "none")))]
mod pin;
#[cfg_attr(
    all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none")),
    path = "os/linux.rs"
)]
#[cfg_attr(
    not(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none"))),
    path = "os/portable.rs"
)]
mod requests;
mod signals;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none")))]
mod smaps;
#[cfg_attr(all(unix, not(framepool_os = "none")), path = "os/unix.rs")]
#[cfg_attr(not(all(unix, not(framepool_os = "none"))), path = "os/none.rs")]
mod system;
mod threads;
mod touch;
#[cfg(all(unix, not(framepool_os = "none")))]
mod trial;
mod valgrind;

pub(crate) use clock::{monotonic_nanos, process_nanos};
pub(crate) use errno::{Errno, keeping_errno};
pub(crate) use fence::{after_fork, can_fence_all, fence_all, map_wiped_on_fork};
#[cfg(unix)]
pub(crate) use glibc::read_tunables;
pub(crate) use glibc::{CONSOLIDATES, CONSOLIDATES_FROM, consolidate_heap};
pub use limits::Limit;
pub(crate) use limits::limit_behind;
pub(crate) use requests::{
    DISCARD_KEEPS_REQUESTS, discard, leave_out_of_core_dumps, lock, name, page_figures, page_figures_of,
    populate, resident, use_huge_pages,
};
pub(crate) use signals::with_signals_blocked;
#[cfg(not(all(unix, not(framepool_os = "none"))))]
pub(crate) use system::discard_leaves_zeros;
pub(crate) use system::{
    ExitHook, at_exit, map_guarded, map_zeroed, page_bytes, reserve, unmap, variable, write_to_stderr,
};
pub(crate) use threads::{is_first_thread, is_gone, this_process, this_thread};
pub(crate) use valgrind::is_under_valgrind;

#[cfg(all(unix, not(framepool_os = "none")))]
pub(crate) use files::{ExitOutput, read_file};
#[cfg(unix)]
pub(crate) use system::keep_variable;
#[cfg(not(all(unix, not(framepool_os = "none"))))]
pub(crate) use system::{ExitOutput, read_file};
#[cfg(all(unix, not(framepool_os = "none")))]
pub(crate) use trial::discard_leaves_zeros;

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
type OnThreadExit = unsafe extern "C" fn(*mut core::ffi::c_void);

/// The state of a range of memory as the system reports it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageFigures {
    pub(crate) resident: u64,
    pub(crate) huge: u64,
    pub(crate) locked: u64,
}

#[cfg(test)]
mod tests;
