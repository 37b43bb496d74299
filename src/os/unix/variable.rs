//! The environment variable `FRAMEPOOL` as it was when this code was loaded.

use core::cell::UnsafeCell;
use core::ffi::CStr;
// Below `sync`: a model checker has no environment.
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

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
