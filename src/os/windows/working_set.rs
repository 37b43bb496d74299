//! Figures about memory: which pages are in the process's working set.

use core::ptr::{self, NonNull};

use super::super::{Errno, PageFigures};
use super::api::{self, WorkingSetPage};
use super::memory::page_bytes;

/// Pages that one call looks at. The buffer is on the stack.
const PAGES_AT_ONCE: usize = 128;

// The bits of a page's state.
const IS_THERE: usize = 1;
const IS_LOCKED: usize = 1 << 22;
const IS_LARGE: usize = 1 << 23;

/// Returns the state of `pages`, and why the system denied it, if it did. One system call for each 512 KiB.
pub(crate) fn page_figures(pages: NonNull<[u8]>) -> (PageFigures, Result<(), Errno>) {
    let start = pages.cast::<u8>().as_ptr();
    let page_at = |number: usize| start.wrapping_add(number * page_bytes()).cast_const().cast();
    let count = pages.len().div_ceil(page_bytes());
    let mut figures = PageFigures::default();
    let mut asked = [WorkingSetPage { address: ptr::null(), state: 0 }; PAGES_AT_ONCE];
    for first in (0..count).step_by(PAGES_AT_ONCE) {
        let part = &mut asked[..PAGES_AT_ONCE.min(count - first)];
        for (number, page) in (first..).zip(part.iter_mut()) {
            *page = WorkingSetPage { address: page_at(number), state: 0 };
        }
        let bytes = size_of_val(part) as u32;
        // SAFETY: the buffer has that many bytes.
        if unsafe { api::K32QueryWorkingSetEx(api::THIS_PROCESS, part.as_mut_ptr(), bytes) } == 0 {
            return (PageFigures::default(), Err(Errno::last()));
        }
        for page in part.iter().filter(|page| page.state & IS_THERE != 0) {
            let bytes_if = |bit| if page.state & bit != 0 { page_bytes() as u64 } else { 0 };
            figures.resident += page_bytes() as u64;
            figures.huge += bytes_if(IS_LARGE);
            figures.locked += bytes_if(IS_LOCKED);
        }
    }
    (figures, Ok(()))
}

/// Returns the bytes of `pages` that are in the working set; 0 if the system does not tell.
pub(crate) fn resident(pages: NonNull<[u8]>) -> u64 {
    page_figures(pages).0.resident
}

/// Returns the bytes of a large page; 0 if the processor has none.
pub(crate) fn huge_page_bytes() -> u64 {
    // SAFETY: the call takes nothing, and cannot fail.
    unsafe { api::GetLargePageMinimum() as u64 }
}
