//! The search for the limit of the process that made the system deny memory.

use super::super::{Errno, Limit};
use super::page_bytes;

/// Returns the limit that denied `bytes` bytes of address space, of which `writable` were to be writable.
/// `None` if no known limit did.
///
/// It must be called right after the denial, because it reads `errno`. It makes at most five system calls.
#[cold]
#[inline(never)]
pub(crate) fn limit_behind(bytes: usize, writable: usize) -> Option<Limit> {
    let denied = Errno::last();
    let is = |code| Errno::from_code(code) == Some(denied);
    // `EAGAIN`: `mlockall` was called to lock all future memory.
    if is(libc::EAGAIN) && limit_of(libc::RLIMIT_MEMLOCK as _).is_some() {
        return Some(Limit::LockedMemory);
    }
    if !is(libc::ENOMEM) {
        return None;
    }
    let in_use = mapped();
    let is_exceeded = |limit: Option<u64>, in_use: u64, more: usize| {
        limit.is_some_and(|limit| in_use.saturating_add(more as u64) > limit)
    };
    if is_exceeded(limit_of(libc::RLIMIT_AS as _), in_use.all, bytes) {
        Some(Limit::AddressSpace)
    } else if is_exceeded(limit_of(libc::RLIMIT_DATA as _), in_use.data, writable) {
        Some(Limit::Data)
    } else {
        None
    }
}

/// Returns a limit in bytes; `None` if there is none.
fn limit_of(resource: libc::c_int) -> Option<u64> {
    // SAFETY: the type consists of numbers, for which all zeros are valid.
    let mut limit: libc::rlimit = unsafe { core::mem::zeroed() };
    // SAFETY: the place for the answer is valid, and an unknown resource is denied.
    let is_known = unsafe { libc::getrlimit(resource as _, &mut limit) } == 0;
    (is_known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as u64)
}

/// The memory of the process that counts against the limits already, in bytes.
#[derive(Default)]
struct Mapped {
    all: u64,
    data: u64,
}

/// Reads `/proc/self/statm`. Its first field is all mapped memory, in pages. Its sixth field is the private
/// writable memory.
///
/// Returns zeros if the file cannot be read. Then a limit counts as exceeded only if the pools alone exceed
/// it.
fn mapped() -> Mapped {
    use std::io::Read;

    let mut text = [0_u8; 128];
    // Neither call allocates: std copies such a short path to the stack.
    let Ok(read) = std::fs::File::open("/proc/self/statm").and_then(|mut file| file.read(&mut text)) else {
        return Mapped::default();
    };
    let text = core::str::from_utf8(&text[..read]).unwrap_or_default();
    let bytes = |field: usize| {
        let pages = text.split_ascii_whitespace().nth(field).and_then(|pages| pages.parse::<u64>().ok());
        pages.unwrap_or(0).saturating_mul(page_bytes() as u64)
    };
    Mapped { all: bytes(0), data: bytes(5) }
}
