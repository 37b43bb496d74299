//! Memory: reserved, committed, locked, and given back.

use core::ffi::c_void;
use core::ops::Range;
use core::ptr::{self, NonNull};

use super::super::{Errno, Mapping, Source};
use super::api;

/// The bytes of a page, on x86 and ARM alike.
const PAGE_BYTES: usize = 4096;

fn allocate(bytes: usize, kind: u32, protection: u32) -> Option<NonNull<u8>> {
    // SAFETY: new address space where the system likes.
    NonNull::new(unsafe { api::VirtualAlloc(ptr::null_mut(), bytes, kind, protection) }.cast())
}

/// Commits a part of a reservation, and returns whether the system allows that.
///
/// # Safety
///
/// The part lies in a reservation that no other thread knows.
unsafe fn commit(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: the caller's contract.
    unsafe { !api::VirtualAlloc(start.cast(), bytes, api::MEM_COMMIT, api::PAGE_READWRITE).is_null() }
}

fn mapping(base: NonNull<u8>, bytes: usize, whole: NonNull<u8>, whole_bytes: usize) -> Mapping {
    Mapping {
        pages: NonNull::slice_from_raw_parts(base, bytes),
        whole: NonNull::slice_from_raw_parts(whole, whole_bytes),
    }
}

/// Reserves `bytes` bytes of address space at a multiple of `align`, a power of two. It is inaccessible
/// except for the pages that the `usable` ranges lie in, which are committed and start zeroed.
///
/// Returns `None`, and keeps nothing, if the system denies any part of it. `bytes + align` must not overflow.
pub(crate) fn reserve(
    bytes: usize,
    align: usize,
    mut usable: impl Iterator<Item = Range<usize>>,
    source: Source<'_>,
) -> Option<Mapping> {
    let whole = allocate(bytes + align, api::MEM_RESERVE, api::PAGE_NOACCESS)?;
    // SAFETY: less than `align` bytes in.
    let base = unsafe { whole.byte_add(whole.as_ptr().align_offset(align)) };
    let mapping = mapping(base, bytes, whole, bytes + align);
    // SAFETY: the ranges lie in the reservation just made, which no other thread knows.
    unsafe {
        if usable.all(|range| commit(base.as_ptr().byte_add(range.start), range.len())) {
            return Some(mapping);
        }
        unmap(mapping, source);
    }
    None
}

/// Gives a mapping back.
///
/// # Safety
///
/// The mapping was made here, and no thread uses it any more.
pub(crate) unsafe fn unmap(mapping: Mapping, _: Source<'_>) {
    // SAFETY: the caller's contract.
    unsafe { api::VirtualFree(mapping.whole.cast().as_ptr(), 0, api::MEM_RELEASE) };
}

/// Maps `bytes` bytes of zeroed memory, page-aligned.
pub(crate) fn map_zeroed(bytes: usize, _: Source<'_>) -> Option<Mapping> {
    let base = allocate(bytes, api::MEM_RESERVE | api::MEM_COMMIT, api::PAGE_READWRITE)?;
    Some(mapping(base, bytes, base, bytes))
}

/// Maps `bytes` bytes of zeroed memory, page-aligned, with an inaccessible page before and one behind.
pub(crate) fn map_guarded(bytes: usize, source: Source<'_>) -> Option<Mapping> {
    let inside = bytes.checked_next_multiple_of(PAGE_BYTES)?;
    let all = inside.checked_add(2 * PAGE_BYTES)?;
    let whole = allocate(all, api::MEM_RESERVE, api::PAGE_NOACCESS)?;
    // SAFETY: inside the reservation just made, which no other thread knows.
    unsafe {
        let start = whole.byte_add(PAGE_BYTES);
        let mapping = mapping(start, bytes, whole, all);
        if commit(start.as_ptr(), inside) {
            return Some(mapping);
        }
        unmap(mapping, source);
    }
    None
}

pub(crate) fn page_bytes() -> usize {
    PAGE_BYTES
}

/// Makes `pages` resident, and keeps them from being paged out. A process may lock as much as its smallest working set,
/// which is raised for that.
pub(crate) fn lock(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the call leaves every byte as it is, no matter what is there.
    let is_locked = || unsafe { api::VirtualLock(pages.cast().as_ptr(), pages.len()) } != 0;
    if is_locked() {
        return Ok(());
    }
    let denied = Errno::last();
    if denied.code() != api::ERROR_WORKING_SET_QUOTA {
        return Err(denied);
    }
    let (mut min, mut max) = (0, 0);
    // SAFETY: the places for the answers are valid.
    let is_raised = unsafe {
        api::GetProcessWorkingSetSize(api::THIS_PROCESS, &mut min, &mut max) != 0
            && api::SetProcessWorkingSetSize(
                api::THIS_PROCESS,
                min.saturating_add(pages.len()),
                max.saturating_add(pages.len()),
            ) != 0
    };
    if is_raised && is_locked() { Ok(()) } else { Err(Errno::last()) }
}

/// Whether the requests made for pages, locking above all, outlast [`discard`].
pub(crate) const DISCARD_KEEPS_REQUESTS: bool = false;

/// Whether pages read as zeros after [`discard`].
pub(crate) const DISCARD_LEAVES_ZEROS: bool = false;

/// Returns `true`: no trial is needed, because no slot counts as zeroed afterwards.
pub(crate) fn may_discard() -> bool {
    true
}

/// Gives up the contents of `pages`: they take no memory until they are used again, and read as zeros or as before.
/// They stay committed.
///
/// # Safety
///
/// The pages are committed and page-aligned, and no thread uses their contents.
pub(crate) unsafe fn discard(pages: NonNull<[u8]>) -> Result<(), Errno> {
    let start = pages.cast::<c_void>().as_ptr();
    // SAFETY: the caller gives up the contents.
    let is_reset =
        unsafe { !api::VirtualAlloc(start, pages.len(), api::MEM_RESET, api::PAGE_READWRITE).is_null() };
    if !is_reset {
        return Err(Errno::last());
    }
    // The system takes pages that were reset when it needs memory. To unlock pages that are not locked takes them out of
    // the working set now. That call fails, as it should.
    // SAFETY: leaves every byte as it is.
    unsafe { api::VirtualUnlock(start, pages.len()) };
    Ok(())
}
