//! The error that a system call left, and how the allocator's calls leave the program's `errno` unchanged.
//!
//! A program may allocate between a call of its own and its look at `errno` (on Windows `GetLastError`). So the
//! calls that the allocator makes meanwhile must not show there. Restoring it costs two loads and a store.

use core::num::NonZeroI32;
use std::io;

use super::{error_words, last_error, set_last_error};

/// The reason why the system denied a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(NonZeroI32);

impl Errno {
    /// The system has no call for the request. (No real `errno` is negative.)
    pub(crate) const UNSUPPORTED: Self = Self(NonZeroI32::MIN);

    /// Returns the error of this thread's last failed call.
    #[cfg(all(any(unix, windows), not(framepool_os = "none")))]
    pub(super) fn last() -> Self {
        Self::from_code(last_error()).unwrap_or(Self::UNSUPPORTED)
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
        error_words(self.0.get())
    }

    pub(crate) fn to_error(self) -> io::Error {
        match self {
            Self::UNSUPPORTED => io::ErrorKind::Unsupported.into(),
            Self(code) => io::Error::from_raw_os_error(code.get()),
        }
    }
}

/// Runs `calls`, and restores this thread's last error afterwards.
pub(crate) fn keeping_errno<R>(calls: impl FnOnce() -> R) -> R {
    let before = last_error();
    let result = calls();
    set_last_error(before);
    result
}
