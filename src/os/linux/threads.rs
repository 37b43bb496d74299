//! The numbers of this process and this thread, and whether a thread still lives.

use super::super::unix::calls;
use super::super::{Errno, keeping_errno};

/// Returns the number of this process. One system call, made by its own number: `getpid` of glibc before
/// 2.25 returns what it returned before a fork by a bare system call.
pub(crate) fn this_process() -> u64 {
    // SAFETY: the call takes nothing, and cannot fail.
    unsafe { libc::syscall(libc::SYS_getpid) as u64 }
}

/// Returns this thread and its process in one number, which is not 0 and has its highest bit clear. Two
/// system calls.
pub(crate) fn this_thread() -> u64 {
    // SAFETY: the call takes nothing, and cannot fail.
    this_process() << 32 | unsafe { libc::syscall(libc::SYS_gettid) as u64 }
}

/// Whether this thread, in the child of a `fork`, is the one that called it. Any other thread was started
/// later.
pub(crate) fn is_first_thread() -> bool {
    let this_thread = this_thread();
    this_thread >> 32 == this_thread & u64::from(u32::MAX)
}

/// Whether a thread that `this_thread` named has ended. `false` for a thread of another process: the
/// parent after a `fork`, or a child that shares this process's memory.
///
/// `false` too if the kernel or a filter of system calls reports that the calling thread has ended. At
/// most two system calls.
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
