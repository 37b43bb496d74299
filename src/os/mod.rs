//! The operating system, as little of it as is needed: memory, standard error, the exit of a thread.
//!
//! | system | memory | exit of a thread |
//! |---|---|---|
//! | Linux and other Unix (`unix.rs`) | `mmap`, `mprotect`, `munmap` | a pthread key |
//! | anything else (`none.rs`) | from the fallback, no guard pages | unknown |
//!
//! `--cfg framepool_os="none"` builds the second on any system; a Unix without `mmap` needs it.

#[cfg_attr(all(unix, not(framepool_os = "none")), path = "unix.rs")]
#[cfg_attr(not(all(unix, not(framepool_os = "none"))), path = "none.rs")]
mod system;

mod fence;

pub(crate) use fence::{can_fence_all, fence_all, map_wiped_on_fork};
pub(crate) use system::{ExitHook, map_zeroed, reserve, write_to_stderr};

use core::alloc::GlobalAlloc;

/// Where memory comes from on systems that have no `mmap`: the fallback.
pub(crate) type Source<'a> = &'a dyn GlobalAlloc;

/// What runs when a watched thread exits, with what was given to watch it.
pub(crate) type OnThreadExit = unsafe extern "C" fn(*mut core::ffi::c_void);
