//! The calls of the C library that a system may deny, in one place, so that tests can deny them: see
//! `inject_failure`.
//!
//! Each function is named after its call and has the safety contract of that call. Outside unit tests, it
//! adds nothing.

use core::ffi::{c_int, c_void};
#[cfg(any(target_os = "linux", target_os = "android"))]
use core::ffi::{c_long, c_ulong};

macro_rules! deniable {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty, denied $denied:expr, $call:expr;)+) => {
        $(
            /// # Safety
            ///
            /// The contract is that of the call.
            #[inline]
            pub(in crate::os) unsafe fn $name($($argument: $type),*) -> $answer {
                #[cfg(test)]
                if let Some(errno) = inject_failure::ask(stringify!($name)) {
                    let denied: fn(c_int) -> $answer = $denied;
                    return denied(errno);
                }
                // SAFETY: the caller's contract.
                unsafe { $call }
            }
        )+
    };
}

/// The result of most denied calls: -1, with the reason in `errno`.
#[cfg(test)]
fn minus_one<T: From<i8>>(_: c_int) -> T {
    T::from(-1)
}

deniable! {
    mmap(at: *mut c_void, bytes: usize, protection: c_int, flags: c_int) -> *mut c_void,
        denied |_| libc::MAP_FAILED, libc::mmap(at, bytes, protection, flags, -1, 0);
    munmap(at: *mut c_void, bytes: usize) -> c_int, denied minus_one, libc::munmap(at, bytes);
    mprotect(at: *mut c_void, bytes: usize, protection: c_int) -> c_int,
        denied minus_one, libc::mprotect(at, bytes, protection);
    mlock(at: *const c_void, bytes: usize) -> c_int, denied minus_one, libc::mlock(at, bytes);
    munlock(at: *const c_void, bytes: usize) -> c_int, denied minus_one, libc::munlock(at, bytes);
    pthread_setspecific(key: libc::pthread_key_t, value: *const c_void) -> c_int,
        denied |errno| errno, libc::pthread_setspecific(key, value);
    atexit(run: extern "C" fn()) -> c_int, denied |_| 1, libc::atexit(run);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
deniable! {
    madvise(at: *mut c_void, bytes: usize, advice: c_int) -> c_int,
        denied minus_one, libc::madvise(at, bytes, advice);
    mincore(at: *mut c_void, bytes: usize, pages: *mut u8) -> c_int,
        denied minus_one, libc::mincore(at, bytes, pages.cast());
    mlock2(at: *const c_void, bytes: usize, flags: c_int) -> c_long,
        denied minus_one, libc::syscall(libc::SYS_mlock2, at, bytes, flags);
    membarrier(command: c_int) -> c_long,
        denied minus_one, libc::syscall(libc::SYS_membarrier, command, 0, 0);
    name_pages(at: *const c_void, bytes: usize, name: *const core::ffi::c_char) -> c_int,
        denied minus_one,
        libc::prctl(libc::PR_SET_VMA, libc::PR_SET_VMA_ANON_NAME as c_ulong, at, bytes, name);
    tgkill(process: c_int, thread: c_int, signal: c_int) -> c_long,
        denied minus_one, libc::syscall(libc::SYS_tgkill, process, thread, signal);
    pthread_atfork(child: unsafe extern "C" fn()) -> c_int,
        denied |errno| errno, libc::pthread_atfork(None, None, Some(child));
}

/// Denies some or all calls of this thread.
#[cfg(test)]
pub(crate) mod inject_failure {
    use core::cell::RefCell;
    use core::ffi::c_int;
    use core::ops::Range;

    thread_local! {
        static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
    }

    struct Plan {
        denied: Range<usize>,
        errno: c_int,
        calls: Vec<Call>,
    }

    /// A call that was made.
    pub(crate) struct Call {
        pub(crate) name: &'static str,
        pub(crate) was_denied: bool,
    }

    /// Runs `f`, and denies some calls that this thread makes in it, with `errno`: those whose numbers,
    /// counted from 0, are in `denied`. Returns the result of `f`, and all calls.
    pub(crate) fn inject_failure<R>(
        denied: Range<usize>,
        errno: c_int,
        f: impl FnOnce() -> R,
    ) -> (R, Vec<Call>) {
        PLAN.set(Some(Plan { denied, errno, calls: Vec::new() }));
        let result = f();
        (result, PLAN.take().map_or_else(Vec::new, |plan| plan.calls))
    }

    /// Returns the reason if this call is to be denied, and stores it in `errno`.
    pub(super) fn ask(name: &'static str) -> Option<c_int> {
        PLAN.with_borrow_mut(|plan| {
            let Plan { denied, errno, calls } = plan.as_mut()?;
            let was_denied = denied.contains(&calls.len());
            calls.push(Call { name, was_denied });
            was_denied.then(|| super::super::errno::set_last_error(*errno));
            was_denied.then_some(*errno)
        })
    }
}
