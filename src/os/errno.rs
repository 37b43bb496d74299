//! The error that a system call left, and how the allocator's calls leave the program's `errno` unchanged.
//!
//! A program may allocate between a call of its own and its look at `errno`. So the calls that the allocator
//! makes meanwhile must not show there. Restoring `errno` costs two loads and a store.

use core::ffi::c_int;
use core::num::NonZeroI32;
use std::io;

/// The reason why the system denied a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(NonZeroI32);

impl Errno {
    /// The system has no call for the request. (No real `errno` is negative.)
    pub(crate) const UNSUPPORTED: Self = Self(NonZeroI32::MIN);

    /// Returns the error of this thread's last failed call.
    #[cfg(all(unix, not(framepool_os = "none")))]
    pub(super) fn last() -> Self {
        let code = io::Error::last_os_error().raw_os_error();
        code.and_then(Self::from_code).unwrap_or(Self::UNSUPPORTED)
    }

    /// Returns the error of a code, or `None` for 0: the inverse of [`code_of`](Self::code_of).
    pub(crate) fn from_code(code: i32) -> Option<Self> {
        NonZeroI32::new(code).map(Self)
    }

    /// Returns the code of an outcome: 0 if nothing was denied.
    pub(crate) fn code_of(outcome: Result<(), Self>) -> i32 {
        outcome.map_or_else(|denied| denied.0.get(), |()| 0)
    }

    /// Returns the error's number.
    pub(crate) fn code(self) -> i32 {
        self.0.get()
    }

    /// Returns the error in words, for those that a file may cause.
    pub(crate) fn words(self) -> Option<&'static str> {
        #[cfg(all(unix, not(framepool_os = "none")))]
        let words = match self.0.get() {
            libc::ENOENT => "no such file or folder",
            libc::ENOTDIR => "a part of the path is no folder",
            libc::EISDIR => "it is a folder",
            libc::EACCES | libc::EPERM => "permission denied",
            libc::EROFS => "the file system is read-only",
            libc::ENOSPC | libc::EDQUOT => "no space left",
            libc::ENAMETOOLONG => "the path is too long",
            libc::ENXIO => "no process at its other end",
            libc::EAGAIN => "there is nothing to read yet",
            libc::ELOOP => "too many symbolic links",
            libc::EFBIG => "the file may not be that large",
            libc::EPIPE => "no process reads it any more",
            libc::EIO => "it cannot be read or written",
            libc::EMFILE | libc::ENFILE => "too many open files",
            _ => return None,
        };
        #[cfg(not(all(unix, not(framepool_os = "none"))))]
        let words = "not on this system";
        Some(words)
    }

    pub(crate) fn to_error(self) -> io::Error {
        match self {
            Self::UNSUPPORTED => io::ErrorKind::Unsupported.into(),
            Self(code) => io::Error::from_raw_os_error(code.get()),
        }
    }
}

/// Runs `calls`, and restores this thread's `errno` afterwards.
pub(crate) fn keeping_errno<R>(calls: impl FnOnce() -> R) -> R {
    let place = location();
    if place.is_null() {
        return calls();
    }
    // SAFETY: the C library's place for this thread's `errno`, which lives as long as the thread.
    let before = unsafe { place.read() };
    let result = calls();
    // SAFETY: as above, on the same thread.
    unsafe { place.write(before) };
    result
}

/// Returns the address of this thread's `errno`; null if it is not known.
pub(super) fn location() -> *mut c_int {
    #[cfg(all(any(target_os = "solaris", target_os = "illumos"), not(framepool_os = "none")))]
    use libc::___errno as ask;
    #[cfg(all(
        any(target_os = "android", target_os = "netbsd", target_os = "openbsd"),
        not(framepool_os = "none")
    ))]
    use libc::__errno as ask;
    #[cfg(all(any(target_os = "linux", target_os = "dragonfly"), not(framepool_os = "none")))]
    use libc::__errno_location as ask;
    #[cfg(all(any(target_vendor = "apple", target_os = "freebsd"), not(framepool_os = "none")))]
    use libc::__error as ask;
    #[cfg(not(all(
        any(
            target_os = "linux",
            target_os = "dragonfly",
            target_os = "android",
            target_os = "netbsd",
            target_os = "openbsd",
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "solaris",
            target_os = "illumos"
        ),
        not(framepool_os = "none")
    )))]
    unsafe fn ask() -> *mut c_int {
        core::ptr::null_mut()
    }

    // SAFETY: the call takes no argument and returns an address.
    unsafe { ask() }
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_fails_inside_does_not_show_outside() {
        let fail = |code| {
            // SAFETY: both calls are denied: no descriptor is -1, and no mapping has 0 bytes.
            unsafe {
                if code == libc::EBADF { libc::close(-1) } else { libc::munmap(core::ptr::null_mut(), 0) }
            };
            io::Error::last_os_error().raw_os_error()
        };
        assert_eq!(fail(libc::EBADF), Some(libc::EBADF));
        assert_eq!(keeping_errno(|| fail(libc::EINVAL)), Some(libc::EINVAL));
        assert_eq!(Errno::last(), Errno::from_code(libc::EBADF).unwrap());
    }
}
