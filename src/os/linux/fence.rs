//! The two things that magazines need of Linux: a fence on all processors of the process, and memory that
//! tells the child of a `fork` from its parent.
//!
//! `membarrier(PRIVATE_EXPEDITED)` and `MADV_WIPEONFORK` came with Linux 4.14. If either is missing,
//! magazines are off.

use core::ptr::{self, NonNull};

use super::super::keeping_errno;
use super::super::unix::calls;

// From linux/membarrier.h; libc does not have them for every target.
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: the call takes only numbers, and writes nothing.
    unsafe { calls::membarrier(command) == 0 }
}

/// Registers the process for [`fence_all`]. Returns `false` if the system denies that. One registration
/// is enough, also for the children of a `fork`.
pub(crate) fn can_fence_all() -> bool {
    membarrier(REGISTER_PRIVATE_EXPEDITED)
}

/// Returns after every thread of this process has passed a full fence. This takes one system call: half a
/// microsecond, or about 10 us while other processors are busy.
///
/// Returns `false`, without a fence, if the system denies the call. Either it has no memory for the call,
/// or the process has installed a filter of system calls since it registered.
#[must_use]
pub(crate) fn fence_all() -> bool {
    keeping_errno(|| membarrier(PRIVATE_EXPEDITED))
}

/// Maps zeroed memory, at least a page, that is zeroed again in the child of each `fork`. It is never
/// unmapped. Returns `None` if the system denies any of that.
pub(crate) fn map_wiped_on_fork(bytes: usize) -> Option<NonNull<u8>> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
    // SAFETY: a new anonymous mapping at an address that the kernel chooses replaces nothing.
    let page = unsafe { calls::mmap(ptr::null_mut(), bytes, protection, flags) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping was just made, and no other thread knows it. It is unmapped again if the system
    // denies the advice.
    unsafe {
        if calls::madvise(page, bytes, libc::MADV_WIPEONFORK) == 0 {
            return NonNull::new(page.cast());
        }
        calls::munmap(page, bytes);
    }
    None
}

/// Registers `child` to run in the child of each `fork`, on the thread that called it, before `fork`
/// returns there. It does not run after a fork by a bare system call.
pub(crate) fn after_fork(child: unsafe extern "C" fn()) {
    // If there is no memory for the registration, children settle later.
    // SAFETY: `child` takes and returns nothing. If the library that contains it is closed, the C library
    // drops the registration.
    let _ = unsafe { calls::pthread_atfork(child) };
}
