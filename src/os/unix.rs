//! The operating system on every Unix: `mmap`, `mprotect`, `munmap`, `mlock`, `write`, and pthread keys,
//! through libc.
//!
//! Called by the constructor, by start-up, by `prewarm` and `trim`, by a thread's first and last use, and by
//! texts at abort and exit; never on a hit. On Linux, what start-up and a thread's first use call does no
//! more than make system calls.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};
use core::ops::Range;
use core::ptr::{self, NonNull};
// Below `sync`: a model checker has no pthread keys.
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use super::files;
use super::{Errno, Mapping, OnThreadExit, Source, calls, keeping_errno, pin::stays_mapped};

/// The flag that keeps a private mapping from counting against a commit limit, on systems that would count
/// it. Most slots are never touched.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "netbsd",
    target_os = "illumos",
    target_os = "solaris"
))]
const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "netbsd",
    target_os = "illumos",
    target_os = "solaris"
)))]
const NO_RESERVE: libc::c_int = 0;

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

/// Maps zeroed memory in the place of `pages`.
///
/// # Safety
///
/// The pages are a page-aligned piece of a mapping made here, and no thread uses them.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) unsafe fn map_anew(pages: NonNull<[u8]>) -> Result<(), Errno> {
    let (protection, fixed) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_FIXED);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | fixed | NO_RESERVE;
    // SAFETY: the caller gives up the pages that are replaced.
    let base = unsafe { calls::mmap(pages.cast().as_ptr(), pages.len(), protection, flags) };
    if base == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(()) }
}

/// Writes the whole text, without std's lock, which a thread may hold until the process ends.
pub(crate) fn write_to_stderr(text: &[u8]) {
    // There is no place to report a failure.
    let _ = files::write_to(libc::STDERR_FILENO, text);
}

/// The environment variable `FRAMEPOOL` as it was when this code was loaded.
///
/// A program may change its environment later, while a first allocation would read it. std guards such
/// changes by a lock of its own.
struct KeptVariable {
    /// `NOT_KEPT`, `UNSET`, or the value's length plus `FIRST_LENGTH`. Written by the constructor (Release),
    /// and read (Acquire) for the bytes.
    state: AtomicUsize,
    bytes: UnsafeCell<[u8; KEPT_BYTES]>,
}

/// The maximum length of a value that is kept. The buffer takes memory only if there is a value.
const KEPT_BYTES: usize = 4096;
const NOT_KEPT: usize = 0;
const UNSET: usize = 1;
const FIRST_LENGTH: usize = 2;

static VARIABLE: KeptVariable =
    KeptVariable { state: AtomicUsize::new(NOT_KEPT), bytes: UnsafeCell::new([0; KEPT_BYTES]) };

// SAFETY: the constructor writes the bytes, before `state` says that they are there.
unsafe impl Sync for KeptVariable {}

/// Keeps the value for [`variable`]. For the constructor, which runs once.
pub(crate) fn keep_variable() {
    let state = match variable_in_place() {
        None => UNSET,
        Some(value) if value.len() <= KEPT_BYTES => {
            // SAFETY: only the constructor writes the bytes, before `state` says that they are there. The
            // value has as many bytes as are copied, and the buffer has room for them.
            unsafe {
                VARIABLE.bytes.get().cast::<u8>().copy_from_nonoverlapping(value.as_ptr(), value.len())
            };
            value.len() + FIRST_LENGTH
        }
        // Too long to keep: the value is read in place after all.
        Some(_) => NOT_KEPT,
    };
    VARIABLE.state.store(state, Release);
}

/// Returns the value of `FRAMEPOOL`. `None` if it is not set, or if the program has rights that its caller
/// does not have.
pub(crate) fn variable() -> Option<&'static [u8]> {
    match VARIABLE.state.load(Acquire) {
        NOT_KEPT => variable_in_place(),
        UNSET => None,
        state => {
            let (start, length) = (VARIABLE.bytes.get().cast(), state - FIRST_LENGTH);
            // SAFETY: that many bytes were written before `state`, and are not written again.
            Some(unsafe { core::slice::from_raw_parts(start, length) })
        }
    }
}

fn variable_in_place() -> Option<&'static [u8]> {
    if has_rights_of_its_own() {
        return None;
    }
    // SAFETY: the name is valid. In the constructor of a program there are no other threads yet.
    let value = unsafe { libc::getenv(c"FRAMEPOOL".as_ptr()) };
    // SAFETY: null, or a string that stays where it is until the program changes the environment. It is read
    // at once.
    if value.is_null() { None } else { Some(unsafe { CStr::from_ptr(value) }.to_bytes()) }
}

/// Whether the program was started with a set-user-ID bit or the like.
fn has_rights_of_its_own() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the call takes a number, and only reads.
    let answer = unsafe { libc::getauxval(libc::AT_SECURE) != 0 };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: the calls take nothing, and cannot fail.
    let answer = unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
    answer
}

/// Registers `run` to be called when the program exits normally.
pub(crate) fn at_exit(run: extern "C" fn()) {
    // If there is no memory for the registration, `run` is not called.
    // SAFETY: `run` lies in code that stays mapped, or in a library that cannot be kept. If that library is
    // closed, the C library calls `run` then.
    let _ = unsafe { calls::atexit(run) };
}

/// The pthread key of this copy of the crate. Its destructor runs at a thread's exit if the thread has a
/// value for it. All allocators share the key: a process has 1,024 keys, or 128 with musl.
#[derive(Clone, Copy)]
pub(crate) struct ExitHook(libc::pthread_key_t);

/// The state of the key: `NOT_YET`, `NEVER`, or the key plus `FIRST_KEY`. Written by the constructor
/// (Release), and read (Acquire).
static KEY: AtomicUsize = AtomicUsize::new(NOT_YET);
/// The constructor has not run yet.
const NOT_YET: usize = 0;
/// There will never be a key.
const NEVER: usize = 1;
const FIRST_KEY: usize = 2;

impl ExitHook {
    /// Makes the key, unless this code may be unloaded while threads live, or the process has no key left. For
    /// the constructor.
    pub(crate) fn install(on_exit: OnThreadExit) {
        let create = || {
            let mut key = 0;
            // SAFETY: the place for the key is valid. The destructor has the right type and stays mapped.
            let denied = unsafe { libc::pthread_key_create(&mut key, Some(on_exit)) };
            if denied == 0 { key as usize + FIRST_KEY } else { NEVER }
        };
        keeping_errno(|| KEY.store(if stays_mapped() { create() } else { NEVER }, Release));
    }

    /// Returns the key; `None` if there is none yet, or if there will never be one.
    pub(crate) fn get() -> Option<Self> {
        let key = KEY.load(Acquire);
        (key >= FIRST_KEY).then(|| Self((key - FIRST_KEY) as libc::pthread_key_t))
    }

    /// Whether there will never be a key.
    pub(crate) fn is_never() -> bool {
        KEY.load(Acquire) == NEVER
    }

    /// Registers the destructor to be called with `value` when this thread exits. Returns `false` if the
    /// system denies that.
    ///
    /// glibc has room in each thread for keys below 32, and allocates for others. This call may come from a
    /// signal handler that interrupted `malloc`. So for a key of 32 or more, nothing is called at the
    /// thread's exit. The thread's place is found [by a later claim](crate::lifecycle::orphans).
    pub(crate) fn watch_this_thread(self, value: NonNull<c_void>) -> bool {
        const KEYS_WITH_ROOM: libc::pthread_key_t = 32;
        if cfg!(target_env = "gnu") && self.0 >= KEYS_WITH_ROOM {
            return true;
        }
        // SAFETY: the key was created and is never deleted.
        keeping_errno(|| unsafe { calls::pthread_setspecific(self.0, value.as_ptr()) == 0 })
    }
}
