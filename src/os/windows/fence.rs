//! A fence on all processors of the process, and memory for a mark of `fork`, which Windows does not have.
//!
//! `FlushProcessWriteBuffers` is the fence. In Wine up to 10, it does nothing. There, taking away the right to a page
//! that was written to makes the kernel interrupt each processor that runs the process, on x86. A processor that
//! flushes the others' address translations without interrupting them (AMD's INVLPGB, and every ARM) gives no fence, so
//! there are no magazines.

use core::ptr::{self, NonNull};
// Below `sync`: a model checker has no processors.
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use super::super::{Mapping, keeping_errno};
use super::api;
use super::memory::page_bytes;

/// In Wine, a page that belongs to this file; null on Windows.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
/// Whether a thread is changing the page's protection.
static IS_CHANGING: AtomicBool = AtomicBool::new(false);

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
        #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
        // SAFETY: every processor that Windows runs on has the instruction.
        let cpuid = |leaf| unsafe { __cpuid(leaf) };
        cpuid(LARGEST).eax < CAPACITIES || cpuid(CAPACITIES).ebx & INVLPGB == 0
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    false
}

/// Whether there is a fence. Prepares it.
pub(crate) fn can_fence_all() -> bool {
    if !is_wine() || !PAGE.load(Acquire).is_null() {
        return true;
    }
    if !protection_interrupts() {
        return false;
    }
    // SAFETY: a new page where the system likes. If two threads are here at once, one of the pages stays unused.
    let page = unsafe {
        let kind = api::MEM_RESERVE | api::MEM_COMMIT;
        api::VirtualAlloc(ptr::null_mut(), page_bytes(), kind, api::PAGE_READWRITE)
    };
    if !page.is_null() {
        // A page that is paged out has no translation to flush.
        // SAFETY: the page just made.
        unsafe { api::VirtualLock(page, page_bytes()) };
        PAGE.store(page.cast(), Release);
    }
    !page.is_null()
}

/// Returns after every thread of this process has passed a full fence. Takes one system call, or two in Wine.
///
/// Returns `false`, without a fence, if the system denies a call, or if another thread is here, in Wine.
#[must_use]
pub(crate) fn fence_all() -> bool {
    // SAFETY: the call takes nothing, and cannot fail.
    unsafe { api::FlushProcessWriteBuffers() };
    let page = PAGE.load(Acquire);
    page.is_null() || keeping_errno(|| fence_by(page))
}

/// Changes the protection of the page.
fn fence_by(page: *mut AtomicU32) -> bool {
    if IS_CHANGING.compare_exchange(false, true, AcqRel, Relaxed).is_err() {
        return false;
    }
    let mut old = 0;
    let mut protect = |protection| {
        // SAFETY: the page belongs to this file, and a thread writes to it only while it is changing it.
        unsafe { api::VirtualProtect(page.cast(), page_bytes(), protection, &mut old) != 0 }
    };
    let is_done = protect(api::PAGE_READWRITE) && {
        // SAFETY: the page is never unmapped, and may be written to now.
        unsafe { (*page).fetch_add(1, AcqRel) };
        protect(api::PAGE_NOACCESS)
    };
    IS_CHANGING.store(false, Release);
    is_done
}

/// Maps zeroed memory, at least a page. It is never unmapped.
pub(crate) fn map_wiped_on_fork(bytes: usize) -> Option<NonNull<u8>> {
    super::memory::map_zeroed(bytes, &std::alloc::System).map(Mapping::base)
}
