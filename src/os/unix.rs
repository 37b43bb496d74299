//! Every Unix: `mmap`, `mprotect`, `munmap`, `mlock`, `write`, and pthread keys, all through libc.
//!
//! Called by the constructor, by start-up, by a thread's first and last use, and by abort texts; never on a hit. What start-up and a thread's
//! first use call is no more than system calls on Linux.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};
use core::ops::Range;
use core::ptr::{self, NonNull};
// Below `sync`: a model checker has no pthread keys.
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use super::{Errno, Mapping, OnThreadExit, Source, calls, keeping_errno, pin::stays_mapped};

/// Some systems count a private mapping against a commit limit unless told not to; most slots are never touched.
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
    // SAFETY: a new anonymous mapping where the kernel likes replaces nothing.
    let base = unsafe { calls::mmap(ptr::null_mut(), bytes, protection, flags) };
    if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) }
}

/// `bytes` of address space at a multiple of `align`, a power of two: inaccessible but for the pages that the `usable`
/// ranges lie in, which start zeroed. `None`, and nothing kept, if any part of it is denied.
///
/// `bytes + align` does not overflow; `bytes`, `align` and the ranges' starts are multiples of the page size.
pub(crate) fn reserve(
    bytes: usize,
    align: usize,
    mut usable: impl Iterator<Item = Range<usize>>,
    _: Source<'_>,
) -> Option<Mapping> {
    let base = map(bytes + align, libc::PROT_NONE, NO_RESERVE)?;
    let before = base.as_ptr().align_offset(align);
    // SAFETY: the aligned part and what is cut off are three pieces of the mapping just made, which nobody else knows. The ranges lie
    // in the aligned part. A piece that cannot be cut off stays, unused.
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

/// Gives a mapping back. It stays, unused, if the system denies that.
///
/// # Safety
///
/// It was made here, and nobody uses it any more.
pub(crate) unsafe fn unmap(mapping: Mapping, _: Source<'_>) {
    // SAFETY: the caller's contract.
    unsafe { unmap_piece(mapping.whole.cast(), mapping.whole.len()) };
}

/// # Safety
///
/// A piece of a mapping of ours that nobody uses, page-aligned; may be empty.
unsafe fn unmap_piece(base: NonNull<u8>, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller's contract. A failure leaves address space reserved and nothing worse.
        unsafe { calls::munmap(base.as_ptr().cast(), bytes) };
    }
}

/// `bytes` of zeroed memory, page-aligned.
pub(crate) fn map_zeroed(bytes: usize, _: Source<'_>) -> Option<Mapping> {
    let base = map(bytes, libc::PROT_READ | libc::PROT_WRITE, NO_RESERVE)?;
    Some(mapping(base, bytes))
}

/// Bytes of a page: a power of two, 64 KiB at most.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: a plain question.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // Every Unix answers. Less than a page is never wrong, only slow.
    usize::try_from(bytes).ok().filter(|bytes| bytes.is_power_of_two()).unwrap_or(4096)
}

/// Makes `pages` resident, and keeps them from being paged out.
pub(crate) fn lock(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: leaves every byte as it is, whatever is mapped there.
    let denied = unsafe { calls::mlock(pages.cast().as_ptr(), pages.len()) };
    if denied == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Maps zeroed memory in the place of `pages`.
///
/// # Safety
///
/// They are a page-aligned piece of a mapping made here, and nobody uses them.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
unsafe fn map_anew(pages: NonNull<[u8]>) -> Result<(), Errno> {
    let (protection, fixed) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_FIXED);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | fixed | NO_RESERVE;
    // SAFETY: what is replaced is given up by the caller.
    let base = unsafe { calls::mmap(pages.cast().as_ptr(), pages.len(), protection, flags) };
    if base == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(()) }
}

/// Writes it all, without std's lock, which a thread may hold for ever. Tries again only if a signal came first: any other failure is not worth
/// it, for there is nobody to tell.
pub(crate) fn write_to_stderr(text: &[u8]) {
    write_to(libc::STDERR_FILENO, text);
}

fn write_to(descriptor: libc::c_int, mut text: &[u8]) {
    while !text.is_empty() {
        // SAFETY: a valid buffer of that length.
        let written = unsafe { libc::write(descriptor, text.as_ptr().cast(), text.len()) };
        match usize::try_from(written) {
            Ok(written @ 1..) => text = &text[written.min(text.len())..],
            Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

/// Standard error as it was when the program started, for a text that is written when the program ends: by then its number may be that of
/// a file of the program's.
#[derive(Clone, Copy)]
pub(crate) struct KeptStderr {
    descriptor: libc::c_int,
    device: u64,
    inode: u64,
}

impl KeptStderr {
    /// A duplicate, out of the way of the program's own descriptors, and closed in programs that this one runs. `None` if there is no standard
    /// error, or no descriptor for it.
    pub(crate) fn new() -> Option<Self> {
        const OUT_OF_THE_WAY: libc::c_int = 100;
        let (device, inode) = identity(libc::STDERR_FILENO)?;
        // A process that may have fewer has to take one of its own.
        let descriptor = [OUT_OF_THE_WAY, libc::STDERR_FILENO + 1].into_iter().find_map(|lowest| {
            // SAFETY: takes numbers only.
            let new = unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, lowest) };
            (new >= 0).then_some(new)
        })?;
        Some(Self { descriptor, device, inode })
    }

    /// Writes it all, unless the descriptor has become another file's since, or none.
    pub(crate) fn write(self, text: &[u8]) {
        if identity(self.descriptor) == Some((self.device, self.inode)) {
            write_to(self.descriptor, text);
        }
    }
}

/// Which file a descriptor is for.
fn identity(descriptor: libc::c_int) -> Option<(u64, u64)> {
    // SAFETY: all zeros is valid: numbers.
    let mut status: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: any number may be asked for; the place is valid.
    let is_open = unsafe { libc::fstat(descriptor, &mut status) } == 0;
    is_open.then_some((status.st_dev as u64, status.st_ino as u64))
}

/// The environment variable `FRAMEPOOL` as it was when this code was loaded: a program that changes its environment later, which std guards by a
/// lock of its own, may do so while a first allocation reads it.
struct KeptVariable {
    /// `NOT_KEPT`, `UNSET`, or its length and `FIRST_LENGTH`. Written by the constructor (Release), read Acquire, for the bytes.
    state: AtomicUsize,
    bytes: UnsafeCell<[u8; KEPT_BYTES]>,
}

/// The longest value that is kept. Memory only where there is one.
const KEPT_BYTES: usize = 4096;
const NOT_KEPT: usize = 0;
const UNSET: usize = 1;
const FIRST_LENGTH: usize = 2;

static VARIABLE: KeptVariable =
    KeptVariable { state: AtomicUsize::new(NOT_KEPT), bytes: UnsafeCell::new([0; KEPT_BYTES]) };

// SAFETY: the bytes are written by the constructor, before `state` says that they are there.
unsafe impl Sync for KeptVariable {}

/// Keeps the value for [`variable`]. For the constructor, which runs once.
pub(crate) fn keep_variable() {
    let state = match variable_in_place() {
        None => UNSET,
        Some(value) if value.len() <= KEPT_BYTES => {
            // SAFETY: as above; as many bytes as there are.
            unsafe {
                VARIABLE.bytes.get().cast::<u8>().copy_from_nonoverlapping(value.as_ptr(), value.len())
            };
            value.len() + FIRST_LENGTH
        }
        // Read in place after all.
        Some(_) => NOT_KEPT,
    };
    VARIABLE.state.store(state, Release);
}

/// The value of `FRAMEPOOL`; `None` too in a program that has rights which its caller does not have.
pub(crate) fn variable() -> Option<&'static [u8]> {
    match VARIABLE.state.load(Acquire) {
        NOT_KEPT => variable_in_place(),
        UNSET => None,
        state => {
            let (start, length) = (VARIABLE.bytes.get().cast(), state - FIRST_LENGTH);
            // SAFETY: so many bytes were written before, and are not written again.
            Some(unsafe { core::slice::from_raw_parts(start, length) })
        }
    }
}

fn variable_in_place() -> Option<&'static [u8]> {
    if has_rights_of_its_own() {
        return None;
    }
    // SAFETY: a valid name. In the constructor of a program there are no other threads yet.
    let value = unsafe { libc::getenv(c"FRAMEPOOL".as_ptr()) };
    // SAFETY: null, or a string, which stays where it is until somebody changes the environment; it is read at once.
    if value.is_null() { None } else { Some(unsafe { CStr::from_ptr(value) }.to_bytes()) }
}

/// Whether the program was started with a set-user-ID bit or the like.
fn has_rights_of_its_own() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: a plain question.
    let answer = unsafe { libc::getauxval(libc::AT_SECURE) != 0 };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: plain questions, which cannot fail.
    let answer = unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
    answer
}

/// Has `run` called when the program exits by itself.
pub(crate) fn at_exit(run: extern "C" fn()) {
    // If there is no memory for it, it will not.
    // SAFETY: a function of code that stays mapped, or of a library that cannot be kept: the C library calls it when that is closed.
    let _ = unsafe { calls::atexit(run) };
}

/// The pthread key of this copy of the crate, whose destructor runs at a thread's exit if the thread has a value for it. One for all allocators:
/// a process has 1,024 keys, with musl 128.
#[derive(Clone, Copy)]
pub(crate) struct ExitHook(libc::pthread_key_t);

/// What there is of the key: one of these, or the key and `FIRST_KEY`. Written by the constructor (Release), read Acquire.
static KEY: AtomicUsize = AtomicUsize::new(NOT_YET);
/// The constructor has not run yet.
const NOT_YET: usize = 0;
/// There will be none.
const NEVER: usize = 1;
const FIRST_KEY: usize = 2;

impl ExitHook {
    /// Makes the key, unless this code may be unloaded while threads live, or the process has no key left. For the constructor.
    pub(crate) fn install(on_exit: OnThreadExit) {
        let create = || {
            let mut key = 0;
            // SAFETY: a valid place for the key, and a destructor of the right type, which stays mapped.
            let denied = unsafe { libc::pthread_key_create(&mut key, Some(on_exit)) };
            if denied == 0 { key as usize + FIRST_KEY } else { NEVER }
        };
        keeping_errno(|| KEY.store(if stays_mapped() { create() } else { NEVER }, Release));
    }

    /// `None` if there is none yet, or never will be.
    pub(crate) fn get() -> Option<Self> {
        let key = KEY.load(Acquire);
        (key >= FIRST_KEY).then(|| Self((key - FIRST_KEY) as libc::pthread_key_t))
    }

    /// Whether there will never be one.
    pub(crate) fn is_never() -> bool {
        KEY.load(Acquire) == NEVER
    }

    /// Has the destructor called with `value` when this thread exits; `false` if that cannot be had.
    ///
    /// glibc has room in each thread for keys below 32, and allocates for others. This may be a signal handler that interrupted `malloc`, so
    /// then nothing is called at the thread's exit, and its place is found [by the next](crate::lifecycle::orphans).
    pub(crate) fn watch_this_thread(self, value: NonNull<c_void>) -> bool {
        const KEYS_WITH_ROOM: libc::pthread_key_t = 32;
        if cfg!(target_env = "gnu") && self.0 >= KEYS_WITH_ROOM {
            return true;
        }
        // SAFETY: the key was created and is never deleted.
        keeping_errno(|| unsafe { calls::pthread_setspecific(self.0, value.as_ptr()) == 0 })
    }
}
