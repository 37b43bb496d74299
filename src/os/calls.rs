//! The calls of the C library that a system may refuse, in one place, so that tests can refuse them: see `refusing`.
//!
//! Each is what it is called, with its own safety. Outside unit tests nothing is added to it.

use core::ffi::{c_int, c_long, c_ulong, c_void};

macro_rules! refusable {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty, refused $refused:expr, $call:expr;)+) => {
        $(
            /// # Safety
            ///
            /// That of the call.
            #[inline]
            pub(super) unsafe fn $name($($argument: $type),*) -> $answer {
                #[cfg(test)]
                if let Some(errno) = refusing::ask(stringify!($name)) {
                    let refused: fn(c_int) -> $answer = $refused;
                    return refused(errno);
                }
                // SAFETY: the caller's contract.
                unsafe { $call }
            }
        )+
    };
}

/// What most of them answer: -1, and the reason in `errno`.
#[cfg(test)]
fn minus_one<T: From<i8>>(_: c_int) -> T {
    T::from(-1)
}

refusable! {
    mmap(at: *mut c_void, bytes: usize, protection: c_int, flags: c_int) -> *mut c_void,
        refused |_| libc::MAP_FAILED, libc::mmap(at, bytes, protection, flags, -1, 0);
    munmap(at: *mut c_void, bytes: usize) -> c_int, refused minus_one, libc::munmap(at, bytes);
    mprotect(at: *mut c_void, bytes: usize, protection: c_int) -> c_int,
        refused minus_one, libc::mprotect(at, bytes, protection);
    mlock(at: *const c_void, bytes: usize) -> c_int, refused minus_one, libc::mlock(at, bytes);
    munlock(at: *const c_void, bytes: usize) -> c_int, refused minus_one, libc::munlock(at, bytes);
    pthread_setspecific(key: libc::pthread_key_t, value: *const c_void) -> c_int,
        refused |errno| errno, libc::pthread_setspecific(key, value);
    atexit(run: extern "C" fn()) -> c_int, refused |_| 1, libc::atexit(run);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
refusable! {
    madvise(at: *mut c_void, bytes: usize, advice: c_int) -> c_int,
        refused minus_one, libc::madvise(at, bytes, advice);
    mincore(at: *mut c_void, bytes: usize, pages: *mut u8) -> c_int,
        refused minus_one, libc::mincore(at, bytes, pages.cast());
    mlock2(at: *const c_void, bytes: usize, flags: c_int) -> c_long,
        refused minus_one, libc::syscall(libc::SYS_mlock2, at, bytes, flags);
    membarrier(command: c_int) -> c_long,
        refused minus_one, libc::syscall(libc::SYS_membarrier, command, 0, 0);
    name_pages(at: *const c_void, bytes: usize, name: *const core::ffi::c_char) -> c_int,
        refused minus_one,
        libc::prctl(libc::PR_SET_VMA, libc::PR_SET_VMA_ANON_NAME as c_ulong, at, bytes, name);
    tgkill(process: c_int, thread: c_int, signal: c_int) -> c_long,
        refused minus_one, libc::syscall(libc::SYS_tgkill, process, thread, signal);
    pthread_atfork(child: unsafe extern "C" fn()) -> c_int,
        refused |errno| errno, libc::pthread_atfork(None, None, Some(child));
}

/// Has this thread's calls refused, some or all of them.
#[cfg(test)]
pub(crate) mod refusing {
    use core::cell::RefCell;
    use core::ffi::c_int;
    use core::ops::Range;

    thread_local! {
        static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
    }

    struct Plan {
        refused: Range<usize>,
        errno: c_int,
        calls: Vec<Call>,
    }

    /// A call that was made.
    pub(crate) struct Call {
        pub(crate) name: &'static str,
        pub(crate) was_refused: bool,
    }

    /// Runs `f`, in which this thread's calls number `refused`, counted from 0, are refused with `errno`; what it returns, and all calls.
    pub(crate) fn refusing<R>(refused: Range<usize>, errno: c_int, f: impl FnOnce() -> R) -> (R, Vec<Call>) {
        PLAN.set(Some(Plan { refused, errno, calls: Vec::new() }));
        let result = f();
        (result, PLAN.take().map_or_else(Vec::new, |plan| plan.calls))
    }

    /// The reason, if this call is to be refused; `errno` says it, too.
    pub(super) fn ask(name: &'static str) -> Option<c_int> {
        PLAN.with_borrow_mut(|plan| {
            let Plan { refused, errno, calls } = plan.as_mut()?;
            let was_refused = refused.contains(&calls.len());
            calls.push(Call { name, was_refused });
            // SAFETY: this thread's own, which a call that fails writes.
            was_refused.then(|| unsafe { *super::super::errno::location() = *errno });
            was_refused.then_some(*errno)
        })
    }
}
