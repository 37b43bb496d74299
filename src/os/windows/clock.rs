//! Clocks that a recording reads within an allocation: they neither allocate nor panic.

use super::api::{self, FileTime};

/// Returns the nanoseconds of a clock that never goes back.
pub(crate) fn monotonic_nanos() -> u64 {
    let (mut count, mut hertz) = (0, 0);
    // SAFETY: the places for the answers are valid.
    unsafe {
        api::QueryPerformanceCounter(&mut count);
        api::QueryPerformanceFrequency(&mut hertz);
    }
    let nanos = (i128::from(count) * 1_000_000_000).checked_div(i128::from(hertz));
    nanos.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0)
}

/// Returns the nanoseconds that all threads of this process have run on a CPU; `None` if the system does not tell.
pub(crate) fn process_nanos() -> Option<u64> {
    let [mut created, mut ended, mut kernel, mut user] = [FileTime::default(); 4];
    // SAFETY: the places for the answers are valid.
    let is_known = unsafe {
        api::GetProcessTimes(api::THIS_PROCESS, &mut created, &mut ended, &mut kernel, &mut user) != 0
    };
    // In steps of 100 ns.
    let steps = |time: FileTime| u64::from(time.high) << 32 | u64::from(time.low);
    is_known.then(|| steps(kernel).saturating_add(steps(user)).saturating_mul(100))
}
