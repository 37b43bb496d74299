//! Binds a thread to a processor of its own. Two threads that hand blocks over must run at once, and a
//! scheduler that saves processors lets them share one for longer than a sample takes.

/// Returns the processors that the calling thread may use.
#[cfg(target_os = "linux")]
pub(crate) fn allowed() -> Vec<usize> {
    // SAFETY: the type is a set of bits, and all zeros are the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is as large as the call says; 0 is the calling thread.
    let done = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    // SAFETY: the numbers are below the set's size.
    let is_in = |&number: &usize| done == 0 && unsafe { libc::CPU_ISSET(number, &set) };
    (0..libc::CPU_SETSIZE as usize).filter(is_in).collect()
}

/// Binds the calling thread to that processor. If the thread may not run there, it stays where it is.
#[cfg(target_os = "linux")]
pub(crate) fn stay_on(number: usize) {
    // SAFETY: the type is a set of bits, and all zeros are the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number came from a set of this size.
    unsafe { libc::CPU_SET(number, &mut set) };
    // SAFETY: the set is as large as the call says, and is only read; 0 is the calling thread.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
}

/// Returns none: this system has no way to ask.
#[cfg(not(target_os = "linux"))]
pub(crate) fn allowed() -> Vec<usize> {
    Vec::new()
}

/// Does nothing. It is never called, because `allowed` returns no processors here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stay_on(_: usize) {}
