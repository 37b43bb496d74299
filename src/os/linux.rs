//! What only Linux (and Android) can be asked about memory, and its answers.
//!
//! Called at start-up and by `prewarm`, `trim` and the like; never on a hit. Whatever an older kernel does not know, it denies with an
//! error, which is passed on or answered by the next rung of a ladder.

use core::ffi::{CStr, c_int};
use core::ptr::NonNull;
use std::fs::File;
use std::io::Read;

use super::errno::Errno;
use super::smaps::Smaps;
use super::{PageFigures, calls, system, touch};

/// Since Linux 5.14. libc has it for some C libraries only.
const MADV_POPULATE_WRITE: c_int = 23;
/// Since Linux 4.4.
const MLOCK_ONFAULT: c_int = 1;

/// What is read of `/proc/self/smaps` at once. On the stack.
const READ_BYTES: usize = 4096;
/// Pages that `mincore` is asked for at once. On the stack.
const MINCORE_PAGES: usize = 1024;

/// What old kernels and filters of system calls answer.
fn is_no_such_call(denied: Errno) -> bool {
    [libc::EINVAL, libc::ENOSYS, libc::EPERM].map(Errno::from_code).contains(&Some(denied))
}

fn advise(pages: NonNull<[u8]>, advice: c_int) -> Result<(), Errno> {
    // SAFETY: each advice given here leaves every byte of every page as it is, whatever is mapped there.
    let denied = unsafe { calls::madvise(pages.cast().as_ptr(), pages.len(), advice) };
    if denied == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Huge pages where they fit, or none at all. A kernel without them has nothing against `false`.
pub(crate) fn use_huge_pages(pages: NonNull<[u8]>, yes: bool) -> Result<(), Errno> {
    let outcome = advise(pages, if yes { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE });
    match outcome {
        Err(denied) if !yes && Errno::from_code(libc::EINVAL) == Some(denied) => Ok(()),
        outcome => outcome,
    }
}

/// Core dumps show nothing of `pages`.
pub(crate) fn leave_out_of_core_dumps(pages: NonNull<[u8]>) -> Result<(), Errno> {
    advise(pages, libc::MADV_DONTDUMP)
}

/// Makes `pages` resident and this process's own: by one call, or where there is none (before 5.14, or forbidden), by touching
/// each page.
///
/// A kernel that knows the call but has not got the memory is not asked again: touching would end the process.
///
/// # Safety
///
/// They are mapped, readable and writable, for the length of the call. Others may use them meanwhile.
pub(crate) unsafe fn populate(pages: NonNull<[u8]>) -> Result<(), Errno> {
    match advise(pages, MADV_POPULATE_WRITE) {
        Err(denied) if is_no_such_call(denied) => {
            // SAFETY: the caller's contract.
            unsafe { touch::touch(pages, system::page_bytes()) };
            Ok(())
        }
        outcome => outcome,
    }
}

/// Keeps `pages` from being paged out, each from its first use on; before 4.4, makes them resident as well.
pub(crate) fn lock(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: leaves every byte as it is, whatever is mapped there. (By number, because C libraries before glibc 2.27 have no
    // name for it.)
    let denied = unsafe { calls::mlock2(pages.cast().as_ptr(), pages.len(), MLOCK_ONFAULT) };
    match (denied, Errno::last()) {
        (0, _) => Ok(()),
        (_, denied) if is_no_such_call(denied) => system::lock(pages),
        (_, denied) => Err(denied),
    }
}

/// Shows `name` for `pages` in `/proc/self/maps`: since 5.17, if the kernel was built to. Otherwise nothing happens.
pub(crate) fn name(pages: NonNull<[u8]>, name: &'static CStr) {
    // SAFETY: the kernel reads a string that lives for ever, and changes nothing but what it shows.
    unsafe { calls::name_pages(pages.cast().as_ptr(), pages.len(), name.as_ptr()) };
}

/// Whether [`discard`] leaves all that was asked for the pages as it is, locked ones above all.
pub(crate) const DISCARD_KEEPS_REQUESTS: bool = true;

/// Drops what is in `pages`: they read as zeros from now on, and cost nothing until they are written again.
///
/// Denied, in part or as a whole, for locked pages; then some may have been dropped.
///
/// # Safety
///
/// They are mapped, page-aligned, and nobody uses what is in them.
pub(crate) unsafe fn discard(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the caller gives up what is in them.
    let denied = unsafe { calls::madvise(pages.cast().as_ptr(), pages.len(), libc::MADV_DONTNEED) };
    if denied == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// What `pages`, a range of whole mappings, has been given. Where `/proc` cannot be read, only what is resident, and why.
///
/// Reads an account of all mappings of the process: a fraction of a millisecond for 100 MiB resident, whoever's.
pub(crate) fn page_figures(pages: NonNull<[u8]>) -> (PageFigures, Result<(), Errno>) {
    match read_smaps(pages) {
        Ok(figures) => (figures, Ok(())),
        Err(denied) => (PageFigures { resident: resident(pages), ..PageFigures::default() }, Err(denied)),
    }
}

fn read_smaps(pages: NonNull<[u8]>) -> Result<PageFigures, Errno> {
    let start = pages.addr().get();
    let mut smaps = Smaps::new(start..start + pages.len());
    let mut buffer = [0; READ_BYTES];
    let code =
        |error: std::io::Error| error.raw_os_error().and_then(Errno::from_code).unwrap_or(Errno::UNSUPPORTED);
    // Neither allocates: so short a path is copied to the stack. (Of the thread, because `self` is empty once the main
    // thread has ended on its own.)
    let mut file = File::open("/proc/thread-self/smaps").map_err(code)?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return smaps.page_figures().ok_or(Errno::UNSUPPORTED),
            Ok(read) => smaps.read(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(code(error)),
        }
    }
}

/// Bytes of `pages` that have memory, pages of shared zeros included. 0 where the system does not say.
pub(crate) fn resident(pages: NonNull<[u8]>) -> u64 {
    let (page, start) = (system::page_bytes(), pages.cast::<u8>().as_ptr());
    let mut is_resident = [0_u8; MINCORE_PAGES];
    let mut resident = 0;
    for offset in (0..pages.len()).step_by(MINCORE_PAGES * page) {
        let bytes = (pages.len() - offset).min(MINCORE_PAGES * page);
        // SAFETY: the kernel writes a byte for each of at most that many pages, and only looks at the range.
        let denied =
            unsafe { calls::mincore(start.wrapping_add(offset).cast(), bytes, is_resident.as_mut_ptr()) };
        if denied == 0 {
            let pages = is_resident[..bytes.div_ceil(page)].iter().filter(|&&page| page & 1 != 0).count();
            resident += (pages * page) as u64;
        }
    }
    resident
}
