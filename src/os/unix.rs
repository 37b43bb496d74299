//! The operating system on every Unix: `mmap`, `mprotect`, `munmap`, `mlock`, `write`, and pthread keys,
//! through libc.
//!
//! Called by the constructor, by start-up, by `prewarm` and `trim`, by a thread's first and last use, and by
//! texts at abort and exit; never on a hit. On Linux, what start-up and a thread's first use call does no
//! more than make system calls.

use core::ops::Range;
use core::ptr::{self, NonNull};

use super::{Errno, Hooks, Mapping, Source};

pub(crate) mod calls;
mod errno;
mod exit_hook;
mod files;
mod pin;
mod signals;
mod trial;
mod variable;

pub(crate) use errno::{error_words, last_error, set_last_error};
pub(crate) use exit_hook::ExitHook;
pub(crate) use files::{ExitOutput, read_file};
pub(crate) use trial::may_discard;
pub(crate) use variable::{keep_variable, variable};

/// The flag that keeps a private mapping from counting against a commit limit, on systems that would count
/// it. Most slots are never touched.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "netbsd",
    target_os = "illumos",
    target_os = "solaris"
))]
pub(super) const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "netbsd",
    target_os = "illumos",
    target_os = "solaris"
)))]
pub(super) const NO_RESERVE: libc::c_int = 0;

fn map(bytes: usize, protection: libc::c_int, flags: libc::c_int) -> Option<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | flags;
    // SAFETY: a new anonymous mapping at an address that the kernel chooses replaces nothing.
    let base = unsafe { calls::mmap(ptr::null_mut(), bytes, protection, flags) };
    if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) }
}

/// Reserves `bytes` bytes of address space at a multiple of `align`, a power of two. It is inaccessible
/// except for the pages that the `usable` ranges lie in, which start zeroed.
///
/// Returns `None`, and keeps nothing, if the system denies any part of it. `bytes + align` must not overflow.
/// `bytes`, `align` and the starts of the ranges must be multiples of the page size.
pub(crate) fn reserve(
    bytes: usize,
    align: usize,
    mut usable: impl Iterator<Item = Range<usize>>,
    _: Source<'_>,
) -> Option<Mapping> {
    let base = map(bytes + align, libc::PROT_NONE, NO_RESERVE)?;
    let before = base.as_ptr().align_offset(align);
    // SAFETY: the aligned part and the two parts that are cut off are three pieces of the mapping just made,
    // which no other thread knows. The ranges lie in the aligned part. A piece that cannot be cut off stays,
    // unused.
    unsafe {
        let aligned = base.byte_add(before);
        unmap_piece(base, before);
        unmap_piece(aligned.byte_add(bytes), align - before);
        let open = libc::PROT_READ | libc::PROT_WRITE;
        if usable.all(|range| {
            calls::mprotect(aligned.as_ptr().byte_add(range.start).cast(), range.len(), open) == 0
        }) {
            return Some(mapping(aligned, bytes));
        }
        unmap_piece(aligned, bytes);
    }
    None
}

fn mapping(base: NonNull<u8>, bytes: usize) -> Mapping {
    let pages = NonNull::slice_from_raw_parts(base, bytes);
    Mapping { pages, whole: pages }
}

/// Gives a mapping back. If the system denies that, the mapping stays, unused.
///
/// # Safety
///
/// The mapping was made here, and no thread uses it any more.
pub(crate) unsafe fn unmap(mapping: Mapping, _: Source<'_>) {
    // SAFETY: the caller's contract.
    unsafe { unmap_piece(mapping.whole.cast(), mapping.whole.len()) };
}

/// Unmaps a piece of a mapping.
///
/// # Safety
///
/// The piece is part of a mapping made here, is page-aligned, and no thread uses it. It may be empty.
unsafe fn unmap_piece(base: NonNull<u8>, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller's contract. If the call fails, address space stays reserved, and nothing worse
        // happens.
        unsafe { calls::munmap(base.as_ptr().cast(), bytes) };
    }
}

/// Maps `bytes` bytes of zeroed memory, page-aligned.
pub(crate) fn map_zeroed(bytes: usize, _: Source<'_>) -> Option<Mapping> {
    let base = map(bytes, libc::PROT_READ | libc::PROT_WRITE, NO_RESERVE)?;
    Some(mapping(base, bytes))
}

/// Maps `bytes` bytes of zeroed memory, page-aligned, with an inaccessible page before and one behind. The memory is
/// therefore a mapping of its own in the system's list, and does not merge with its neighbours.
pub(crate) fn map_guarded(bytes: usize, _: Source<'_>) -> Option<Mapping> {
    let page = page_bytes();
    let all = bytes.checked_next_multiple_of(page)?.checked_add(2 * page)?;
    let base = map(all, libc::PROT_NONE, NO_RESERVE)?;
    // SAFETY: inside the mapping just made, which no other thread knows.
    unsafe {
        let start = base.byte_add(page);
        let open = libc::PROT_READ | libc::PROT_WRITE;
        if calls::mprotect(start.as_ptr().cast(), all - 2 * page, open) == 0 {
            let pages = NonNull::slice_from_raw_parts(start, bytes);
            return Some(Mapping { pages, whole: NonNull::slice_from_raw_parts(base, all) });
        }
        unmap_piece(base, all);
    }
    None
}

/// Returns the bytes of a page: a power of two, 64 KiB at most.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: the call takes a number, and only reads.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // Every Unix answers. A figure below the page size is never wrong, only slow.
    usize::try_from(bytes).ok().filter(|bytes| bytes.is_power_of_two()).unwrap_or(4096)
}

/// Makes `pages` resident, and keeps them from being paged out.
pub(crate) fn lock(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the call leaves every byte as it is, no matter what is mapped there.
    let denied = unsafe { calls::mlock(pages.cast().as_ptr(), pages.len()) };
    if denied == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Writes the whole text, without std's lock, which a thread may hold until the process ends.
pub(crate) fn write_to_stderr(text: &[u8]) {
    // There is no place to report a failure.
    let _ = files::write_to(libc::STDERR_FILENO, text);
}

/// Registers `run` to be called when the program exits normally.
pub(crate) fn at_exit(run: extern "C" fn()) {
    // If there is no memory for the registration, `run` is not called.
    // SAFETY: `run` lies in code that stays mapped, or in a library that cannot be kept. If that library is
    // closed, the C library calls `run` then.
    let _ = unsafe { calls::atexit(run) };
}

/// Does what the constructor has to do on every Unix.
pub(crate) fn at_load(hooks: &Hooks) {
    keep_variable();
    ExitHook::install(hooks.thread_exit);
    // If the variable is not set, no allocator has anything to write.
    if variable().is_some() {
        at_exit(hooks.program_exit);
    }
}
