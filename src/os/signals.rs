//! How a thread of ours takes none of the process's signals.

/// Runs `f` with this thread's signals blocked, as a thread is that `f` starts. Those that a thread raises by its own fault are not: blocked, they
/// would end the process without its handler.
#[cfg(unix)]
pub(crate) fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    const OWN_FAULTS: [libc::c_int; 6] =
        [libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGSYS, libc::SIGTRAP];
    // SAFETY: two sets of signals, which the calls fill; the mask is this thread's own, and put back below.
    unsafe {
        let (mut blocked, mut before) = (core::mem::zeroed(), core::mem::zeroed());
        libc::sigfillset(&mut blocked);
        OWN_FAULTS.iter().for_each(|&signal| _ = libc::sigdelset(&mut blocked, signal));
        let is_blocked = libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before) == 0;
        let result = f();
        if is_blocked {
            libc::pthread_sigmask(libc::SIG_SETMASK, &before, core::ptr::null_mut());
        }
        result
    }
}

/// There are none, or no way to block them.
#[cfg(not(unix))]
pub(crate) fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    f()
}
