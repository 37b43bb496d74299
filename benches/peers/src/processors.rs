//! Gives a thread a processor of its own: two that hand blocks over are to run at once, and a scheduler that saves processors
//! lets them share one for longer than a sample takes.

/// The processors that this thread may use.
#[cfg(target_os = "linux")]
pub(crate) fn allowed() -> Vec<usize> {
    // SAFETY: a set of bits, of which zeros are the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is as large as is said; 0 is the calling thread.
    let done = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    // SAFETY: numbers below the set's size.
    let is_in = |&number: &usize| done == 0 && unsafe { libc::CPU_ISSET(number, &set) };
    (0..libc::CPU_SETSIZE as usize).filter(is_in).collect()
}

/// Keeps this thread on that processor. If it may not be there, it stays where it is.
#[cfg(target_os = "linux")]
pub(crate) fn stay_on(number: usize) {
    // SAFETY: a set of bits, of which zeros are the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number came from a set of this size.
    unsafe { libc::CPU_SET(number, &mut set) };
    // SAFETY: the set is as large as is said, and only read; 0 is the calling thread.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
}

/// None are known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn allowed() -> Vec<usize> {
    Vec::new()
}

/// Never called, because none are known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stay_on(_: usize) {}
