//! `errno`, and its values in words.

use core::ffi::c_int;

/// Returns this thread's `errno`; 0 if its place is not known.
pub(crate) fn last_error() -> c_int {
    let place = location();
    // SAFETY: the C library's place for this thread's `errno`, which lives as long as the thread.
    if place.is_null() { 0 } else { unsafe { place.read() } }
}

/// Sets this thread's `errno`.
pub(crate) fn set_last_error(code: c_int) {
    let place = location();
    if !place.is_null() {
        // SAFETY: as in `last_error`.
        unsafe { place.write(code) };
    }
}

/// Returns an error in words, for those that a file may cause.
pub(crate) fn error_words(code: c_int) -> Option<&'static str> {
    Some(match code {
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
    })
}

/// Returns the address of this thread's `errno`; null if it is not known.
fn location() -> *mut c_int {
    #[cfg(any(target_os = "solaris", target_os = "illumos"))]
    use libc::___errno as ask;
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as ask;
    #[cfg(any(target_os = "linux", target_os = "dragonfly"))]
    use libc::__errno_location as ask;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as ask;
    #[cfg(not(any(
        target_os = "linux",
        target_os = "dragonfly",
        target_os = "android",
        target_os = "netbsd",
        target_os = "openbsd",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "solaris",
        target_os = "illumos"
    )))]
    unsafe fn ask() -> *mut c_int {
        core::ptr::null_mut()
    }

    // SAFETY: the call takes no argument and returns an address.
    unsafe { ask() }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::super::{Errno, keeping_errno};

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
