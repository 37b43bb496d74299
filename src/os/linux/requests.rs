//! The requests about memory that only Linux (and Android) knows, and the figures that it reports.
//!
//! Called at start-up and by `prewarm`, `trim` and the like, never on a hit. An older kernel denies a request
//! that it does not know. That error is passed on, or a simpler method takes the place of the request.

use core::ffi::{CStr, c_int};
use core::ops::Range;
use core::ptr::NonNull;
use std::fs::File;
use std::io::Read;

use super::super::unix::{self, calls};
use super::super::{Errno, PageFigures, touch};
use super::smaps::Smaps;

/// The advice to make pages resident, since Linux 5.14. libc has it for some C libraries only.
const MADV_POPULATE_WRITE: c_int = 23;
/// The flag to lock a page from its first use on, since Linux 4.4.
const MLOCK_ONFAULT: c_int = 1;

/// Bytes of `/proc/thread-self/smaps` that one call reads. The buffer is on the stack.
const READ_BYTES: usize = 4096;
/// Pages that one call of `mincore` looks at. The buffer is on the stack.
const MINCORE_PAGES: usize = 1024;

/// Whether the error is one that old kernels and filters of system calls return for calls that they do not
/// know.
fn is_no_such_call(denied: Errno) -> bool {
    [libc::EINVAL, libc::ENOSYS, libc::EPERM].map(Errno::from_code).contains(&Some(denied))
}

fn advise(pages: NonNull<[u8]>, advice: c_int) -> Result<(), Errno> {
    // SAFETY: each advice given here leaves every byte of every page as it is, no matter what is mapped
    // there.
    let denied = unsafe { calls::madvise(pages.cast().as_ptr(), pages.len(), advice) };
    if denied == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Requests huge pages where they fit, or small pages only. For small pages, a kernel without huge pages
/// counts as a success.
pub(crate) fn use_huge_pages(pages: NonNull<[u8]>, yes: bool) -> Result<(), Errno> {
    let outcome = advise(pages, if yes { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE });
    match outcome {
        Err(denied) if !yes && Errno::from_code(libc::EINVAL) == Some(denied) => Ok(()),
        outcome => outcome,
    }
}

/// Leaves `pages` out of core dumps.
pub(crate) fn leave_out_of_core_dumps(pages: NonNull<[u8]>) -> Result<(), Errno> {
    advise(pages, libc::MADV_DONTDUMP)
}

/// Makes `pages` resident and private to this process, by one call. If the kernel has no such call (before
/// 5.14) or a filter forbids it, touches each page instead.
///
/// After ENOMEM it returns: touching the pages could get the process killed.
///
/// # Safety
///
/// The pages are mapped, readable and writable, for the length of the call. Other threads may use them
/// meanwhile.
pub(crate) unsafe fn populate(pages: NonNull<[u8]>) -> Result<(), Errno> {
    match advise(pages, MADV_POPULATE_WRITE) {
        Err(denied) if is_no_such_call(denied) => {
            // SAFETY: the caller's contract.
            unsafe { touch::touch(pages, unix::page_bytes()) };
            Ok(())
        }
        outcome => outcome,
    }
}

/// Keeps `pages` from being paged out, each page from its first use on. Before Linux 4.4, it also makes them
/// resident.
pub(crate) fn lock(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the call leaves every byte as it is, no matter what is mapped there. (It is made by number,
    // because C libraries before glibc 2.27 have no name for it.)
    let denied = unsafe { calls::mlock2(pages.cast().as_ptr(), pages.len(), MLOCK_ONFAULT) };
    match (denied, Errno::last()) {
        (0, _) => Ok(()),
        (_, denied) if is_no_such_call(denied) => unix::lock(pages),
        (_, denied) => Err(denied),
    }
}

/// Shows `name` for `pages` in `/proc/self/maps`. Does nothing before Linux 5.17, or if the kernel was built
/// without names.
pub(crate) fn name(pages: NonNull<[u8]>, name: &'static CStr) {
    // SAFETY: the kernel reads a string that is never freed, and changes only what `/proc` shows.
    unsafe { calls::name_pages(pages.cast().as_ptr(), pages.len(), name.as_ptr()) };
}

/// Whether the requests made for pages, locking above all, outlast [`discard`].
pub(crate) const DISCARD_KEEPS_REQUESTS: bool = true;

/// Whether pages read as zeros after [`discard`].
pub(crate) const DISCARD_LEAVES_ZEROS: bool = true;

/// Drops the contents of `pages`: they read as zeros from now on, and take no memory until they are written
/// again.
///
/// The system denies this for locked pages, in part or as a whole. Then some pages may have been dropped.
///
/// # Safety
///
/// The pages are mapped and page-aligned, and no thread uses their contents.
pub(crate) unsafe fn discard(pages: NonNull<[u8]>) -> Result<(), Errno> {
    // SAFETY: the caller gives up the contents.
    let denied = unsafe { calls::madvise(pages.cast().as_ptr(), pages.len(), libc::MADV_DONTNEED) };
    if denied == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Returns the state of `pages`, a range of whole mappings. If `/proc` cannot be read, returns only what is
/// resident, and the reason.
///
/// The kernel looks at all mappings of the process: about 10 us for each MiB that is resident in small pages.
pub(crate) fn page_figures(pages: NonNull<[u8]>) -> (PageFigures, Result<(), Errno>) {
    let start = pages.addr().get();
    // The file is that of the thread, because the one of `self` is empty once the main thread has ended on its own.
    match read_smaps("/proc/thread-self/smaps", start..start + pages.len()) {
        Ok(figures) => (figures, Ok(())),
        Err(denied) => (PageFigures { resident: resident(pages), ..PageFigures::default() }, Err(denied)),
    }
}

/// Returns the state of a range of whole mappings of another process. Allocates.
pub(crate) fn page_figures_of(process: u32, addresses: Range<usize>) -> Result<PageFigures, Errno> {
    read_smaps(&format!("/proc/{process}/smaps"), addresses)
}

fn read_smaps(file: &str, addresses: Range<usize>) -> Result<PageFigures, Errno> {
    let mut smaps = Smaps::new(addresses);
    let mut buffer = [0; READ_BYTES];
    let code =
        |error: std::io::Error| error.raw_os_error().and_then(Errno::from_code).unwrap_or(Errno::UNSUPPORTED);
    // Neither call allocates: std copies such a short path to the stack.
    let mut file = File::open(file).map_err(code)?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return smaps.page_figures().ok_or(Errno::UNSUPPORTED),
            Ok(read) => smaps.read(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(code(error)),
        }
    }
}

/// Returns the bytes of a huge page: 2 MiB on x86-64, up to 512 MiB elsewhere. 0 if the kernel has none, or does not
/// tell.
pub(crate) fn huge_page_bytes() -> u64 {
    let mut text = [0; 32];
    // Neither call allocates: std copies such a short path to the stack.
    let file = File::open("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
    let read = file.and_then(|mut file| file.read(&mut text)).unwrap_or(0);
    let digits = core::str::from_utf8(&text[..read]).unwrap_or_default();
    digits.trim_ascii_end().parse().unwrap_or(0)
}

/// Returns the bytes of `pages` that have memory, pages of shared zeros included. Pages for which the system
/// denies the answer count as 0.
pub(crate) fn resident(pages: NonNull<[u8]>) -> u64 {
    let (page, start) = (unix::page_bytes(), pages.cast::<u8>().as_ptr());
    let mut is_resident = [0_u8; MINCORE_PAGES];
    let mut resident = 0;
    for offset in (0..pages.len()).step_by(MINCORE_PAGES * page) {
        let bytes = (pages.len() - offset).min(MINCORE_PAGES * page);
        // SAFETY: the kernel writes a byte for each of at most `MINCORE_PAGES` pages, and only looks at the
        // range.
        let denied =
            unsafe { calls::mincore(start.wrapping_add(offset).cast(), bytes, is_resident.as_mut_ptr()) };
        if denied == 0 {
            let pages = is_resident[..bytes.div_ceil(page)].iter().filter(|&&page| page & 1 != 0).count();
            resident += (pages * page) as u64;
        }
    }
    resident
}
