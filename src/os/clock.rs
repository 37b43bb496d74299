//! Clocks that a recording reads within an allocation: they neither allocate nor panic.

/// Returns the nanoseconds of a clock that never goes back; 0 if the system has no such clock.
pub(crate) fn monotonic_nanos() -> u64 {
    nanos(libc::CLOCK_MONOTONIC).unwrap_or(0)
}

/// Returns the nanoseconds that all threads of this process have run on a CPU; `None` if the system does not tell.
pub(crate) fn process_nanos() -> Option<u64> {
    nanos(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn nanos(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place for the answer is valid.
    let is_known = unsafe { libc::clock_gettime(clock, &mut time) } == 0;
    let seconds = u64::try_from(time.tv_sec).ok().filter(|_| is_known)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}
