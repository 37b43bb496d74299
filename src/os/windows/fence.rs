//! A fence on all processors of the process, and memory for a mark of `fork`, which Windows does not have.
//!
//! `FlushProcessWriteBuffers` is the fence. In Wine up to 10, it does nothing. There, taking away the right to a page
//! that was written to makes the kernel interrupt each processor that runs the process, on x86. A processor that
//! flushes the others' address translations without interrupting them (AMD's INVLPGB, and every ARM) gives no fence, so
//! there are no magazines.

use core::ptr::{self, NonNull};
// Below `sync`: a model checker has no processors.
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::super::{Mapping, keeping_errno};
use super::api;
use super::memory::{map_zeroed, page_bytes};

/// Whether this is Wine. Written by start-ups, before any thread needs a fence.
static IS_WINE: AtomicBool = AtomicBool::new(false);

fn is_wine() -> bool {
    // SAFETY: both names are valid. Every process has this library.
    unsafe {
        let ntdll = api::GetModuleHandleA(c"ntdll.dll".as_ptr());
        !ntdll.is_null() && !api::GetProcAddress(ntdll, c"wine_get_version".as_ptr()).is_null()
    }
}

/// Whether a change of a page's protection interrupts the other processors.
fn protection_interrupts() -> bool {
    #[cfg(target_arch = "x86")]
    use core::arch::x86::__cpuid;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::__cpuid;
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        const LARGEST: u32 = 0x8000_0000;
        const CAPACITIES: u32 = 0x8000_0008;
        const INVLPGB: u32 = 1 << 3;
        #[allow(unused_unsafe, reason = "it is safe in newer compilers")]
        // SAFETY: every processor that Windows runs on has the instruction.
        let cpuid = |leaf| unsafe { __cpuid(leaf) };
        cpuid(LARGEST).eax < CAPACITIES || cpuid(CAPACITIES).ebx & INVLPGB == 0
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    false
}

/// Whether there is a fence.
pub(crate) fn can_fence_all() -> bool {
    let is_wine = is_wine();
    IS_WINE.store(is_wine, Relaxed);
    !is_wine || protection_interrupts()
}

/// Returns after every thread of this process has passed a full fence. Takes one system call, and three more in Wine.
///
/// Returns `false`, without a fence, if the system denies one of those.
#[must_use]
pub(crate) fn fence_all() -> bool {
    // SAFETY: the call takes nothing, and cannot fail.
    unsafe { api::FlushProcessWriteBuffers() };
    !IS_WINE.load(Relaxed) || keeping_errno(fence_by_protection)
}

/// Makes a page, writes to it, and takes the right to it away. The page is the caller's own, so no thread waits for
/// another.
fn fence_by_protection() -> bool {
    let mut old = 0;
    // SAFETY: a new page where the system likes, which only this call knows.
    unsafe {
        let kind = api::MEM_RESERVE | api::MEM_COMMIT;
        let page = api::VirtualAlloc(ptr::null_mut(), page_bytes(), kind, api::PAGE_READWRITE);
        if page.is_null() {
            return false;
        }
        // Without that there would be nothing to take away.
        page.cast::<u8>().write_volatile(1);
        let is_done = api::VirtualProtect(page, page_bytes(), api::PAGE_NOACCESS, &mut old) != 0;
        api::VirtualFree(page, 0, api::MEM_RELEASE);
        is_done
    }
}

/// Maps zeroed memory, at least a page. It is never unmapped.
pub(crate) fn map_wiped_on_fork(bytes: usize) -> Option<NonNull<u8>> {
    map_zeroed(bytes, &std::alloc::System).map(Mapping::base)
}
