//! Keeps signals away from a thread that the crate starts.

/// Runs `f` with this thread's signals blocked. A thread that `f` starts has them blocked too.
///
/// Signals that a thread raises by its own fault stay unblocked. If they were blocked, they would end the
/// process without running its handler.
pub(crate) fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    const OWN_FAULTS: [libc::c_int; 6] =
        [libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGSYS, libc::SIGTRAP];
    // SAFETY: the calls fill the two sets of signals. The mask is this thread's own, and is restored below.
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
