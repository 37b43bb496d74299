//! What magazines need of Linux: a fence on all processors of the process, and memory that tells a `fork`'s child from its parent.
//!
//! `membarrier(PRIVATE_EXPEDITED)` and `MADV_WIPEONFORK` came with Linux 4.14. Where either is missing, magazines are off.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none")))]
mod imp {
    use core::ptr::{self, NonNull};

    use super::super::{calls, keeping_errno};

    // From linux/membarrier.h; libc does not have them for every target.
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: takes numbers only, and writes nothing.
        unsafe { calls::membarrier(command) == 0 }
    }

    /// Registers the process for [`fence_all`]; `false` where the kernel cannot. Once is enough, children included.
    pub(crate) fn can_fence_all() -> bool {
        membarrier(REGISTER_PRIVATE_EXPEDITED)
    }

    /// Returns after every thread of this process has passed a full fence. `false`, and nothing done, if the system denies: for want of
    /// memory, or by a filter that the process has put on since it registered. One system call, from half a microsecond to some ten
    /// with other processors busy.
    #[must_use]
    pub(crate) fn fence_all() -> bool {
        keeping_errno(|| membarrier(PRIVATE_EXPEDITED))
    }

    /// Zeroed memory, a page at least, for ever, that is zeroed again in the child of each `fork`. `None` where that cannot be had.
    pub(crate) fn map_wiped_on_fork(bytes: usize) -> Option<NonNull<u8>> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: a new anonymous mapping where the kernel likes replaces nothing.
        let page = unsafe { calls::mmap(ptr::null_mut(), bytes, protection, flags) };
        if page == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the mapping just made, which nobody else knows; unmapped again if it is not what was asked for.
        unsafe {
            if calls::madvise(page, bytes, libc::MADV_WIPEONFORK) == 0 {
                return NonNull::new(page.cast());
            }
            calls::munmap(page, bytes);
        }
        None
    }

    /// Has `child` run in the child of each `fork`, on the thread that called it, before that goes on. (Not after a bare system call.)
    pub(crate) fn after_fork(child: unsafe extern "C" fn()) {
        // If there is no memory for it, children settle later.
        // SAFETY: a function that takes and returns nothing. The C library drops it with the library that it is part of.
        let _ = unsafe { calls::pthread_atfork(child) };
    }
}

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none"))))]
mod imp {
    use core::ptr::NonNull;

    pub(crate) fn can_fence_all() -> bool {
        false
    }

    /// Nobody asks: magazines are off.
    pub(crate) fn fence_all() -> bool {
        false
    }

    pub(crate) fn map_wiped_on_fork(_: usize) -> Option<NonNull<u8>> {
        None
    }

    /// Nobody needs it: nothing tells a child from its parent here.
    pub(crate) fn after_fork(_: unsafe extern "C" fn()) {}
}

pub(crate) use imp::{after_fork, can_fence_all, fence_all, map_wiped_on_fork};
