//! Whether a thread of this process still lives. Only Linux is asked; elsewhere no thread is ever known to be gone.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none")))]
mod imp {
    use super::super::{Errno, calls, keeping_errno};

    /// This thread and its process, in one number that is not 0 and has its highest bit clear. Two system calls.
    pub(crate) fn this_thread() -> u64 {
        // SAFETY: neither takes anything, and neither can fail.
        let (process, thread) = unsafe { (libc::getpid(), libc::syscall(libc::SYS_gettid)) };
        (process as u64) << 32 | thread as u64
    }

    /// Whether a thread that `this_thread` named has ended. `false` for one of another process: the parent's after a `fork`, or that of a child
    /// that shares this one's memory.
    ///
    /// A kernel or a filter that says of the calling thread that it has ended is not relied on. One or two system calls.
    pub(crate) fn is_gone(thread: u64, this_thread: u64) -> bool {
        let find = |thread: u64| {
            let (process, thread) = ((thread >> 32) as libc::pid_t, thread as u32 as libc::pid_t);
            // SAFETY: signal 0 is never sent; the call only looks for the thread.
            if unsafe { calls::tgkill(process, thread, 0) } == 0 { Ok(()) } else { Err(Errno::last()) }
        };
        let gone = Errno::from_code(libc::ESRCH);
        thread >> 32 == this_thread >> 32
            && keeping_errno(|| find(thread).err() == gone && find(this_thread).is_ok())
    }
}

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none"))))]
mod imp {
    pub(crate) fn this_thread() -> u64 {
        0
    }

    pub(crate) fn is_gone(_: u64, _: u64) -> bool {
        false
    }
}

pub(crate) use imp::{is_gone, this_thread};
