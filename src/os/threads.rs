//! The numbers of this process and this thread, and whether a thread still lives. Only Linux is asked about threads; elsewhere none is ever known to
//! be gone.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(framepool_os = "none")))]
mod imp {
    use super::super::{Errno, calls, keeping_errno};

    /// The number of this process. One system call, made by its own number: glibc before 2.25 remembers what `getpid` said before a bare `fork`.
    pub(crate) fn this_process() -> u64 {
        // SAFETY: takes nothing, and cannot fail.
        unsafe { libc::syscall(libc::SYS_getpid) as u64 }
    }

    /// This thread and its process, in one number that is not 0 and has its highest bit clear. Two system calls.
    pub(crate) fn this_thread() -> u64 {
        // SAFETY: takes nothing, and cannot fail.
        this_process() << 32 | unsafe { libc::syscall(libc::SYS_gettid) as u64 }
    }

    /// In the child of a `fork`: whether this is the thread that called it. Any other was started later.
    pub(crate) fn is_first_thread() -> bool {
        let this_thread = this_thread();
        this_thread >> 32 == this_thread & u64::from(u32::MAX)
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
    /// 0 where there are none.
    pub(crate) fn this_process() -> u64 {
        if cfg!(unix) { std::process::id().into() } else { 0 }
    }

    pub(crate) fn this_thread() -> u64 {
        0
    }

    pub(crate) fn is_first_thread() -> bool {
        false
    }

    pub(crate) fn is_gone(_: u64, _: u64) -> bool {
        false
    }
}

pub(crate) use imp::{is_first_thread, is_gone, this_process, this_thread};
