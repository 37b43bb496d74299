//! Keeps signals away from a program whose statistics cannot be written.

use core::mem::MaybeUninit;

/// Runs `write`. If it writes to a pipe without a reader or beyond a limit of the file's size, the error is all that
/// comes of it: the signals that would end the program are taken back.
pub(super) fn without_signals_of_writes<R>(write: impl FnOnce() -> R) -> R {
    const SIGNALS: [libc::c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];
    let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let was_pending = SIGNALS.map(is_pending);
    // SAFETY: the calls fill the sets. The mask is this thread's own, and is restored below.
    let is_blocked = unsafe {
        libc::sigemptyset(blocked.as_mut_ptr());
        SIGNALS.iter().for_each(|&signal| _ = libc::sigaddset(blocked.as_mut_ptr(), signal));
        libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr()) == 0
    };
    let result = write();
    if is_blocked {
        for (signal, was_pending) in SIGNALS.into_iter().zip(was_pending) {
            if !was_pending && is_pending(signal) {
                take_pending(signal);
            }
        }
        // SAFETY: filled above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), core::ptr::null_mut()) };
    }
    result
}

fn is_pending(signal: libc::c_int) -> bool {
    let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call fills the set, unless it fails.
    unsafe { libc::sigpending(pending.as_mut_ptr()) == 0 && libc::sigismember(pending.as_ptr(), signal) == 1 }
}

/// Takes a signal back that is pending for this thread, which blocks it.
fn take_pending(signal: libc::c_int) {
    let mut one = MaybeUninit::<libc::sigset_t>::uninit();
    let mut taken = 0;
    // SAFETY: the calls fill the set and the number. The last one returns at once.
    unsafe {
        libc::sigemptyset(one.as_mut_ptr());
        libc::sigaddset(one.as_mut_ptr(), signal);
        libc::sigwait(one.as_ptr(), &mut taken);
    }
}
