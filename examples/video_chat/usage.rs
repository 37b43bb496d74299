//! The figures of the operating system about this process: page faults, processor time, memory.

/// Counts since the process started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) page_faults: u64,
    pub(crate) cpu_seconds: f64,
}

impl Usage {
    /// Reads the counts of all threads of this process until now.
    pub(crate) fn now() -> Self {
        system::read().0
    }
}

/// Returns the maximum of memory that was resident at once, in bytes.
///
/// On Linux it comes from `/proc`, because `ru_maxrss` there starts from the parent's value.
pub(crate) fn peak_resident_bytes() -> u64 {
    let peak = status().and_then(|status| bytes(&status, "VmHWM:"));
    peak.unwrap_or_else(|| system::read().1)
}

/// The current memory and threads of the process, which only Linux reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) resident_bytes: u64,
    pub(crate) threads: u64,
}

impl Now {
    /// Reads the figures. Returns `None` if the system does not report them.
    pub(crate) fn read() -> Option<Self> {
        let status = status()?;
        let threads = field(&status, "Threads:")?.parse().ok()?;
        Some(Self { resident_bytes: bytes(&status, "VmRSS:")?, threads })
    }
}

fn status() -> Option<String> {
    if cfg!(target_os = "linux") { std::fs::read_to_string("/proc/self/status").ok() } else { None }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn bytes(status: &str, name: &str) -> Option<u64> {
    let kib: u64 = field(status, name)?.strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// The counts of this process, and the maximum of its resident bytes.
#[cfg(unix)]
mod system {
    use super::Usage;

    pub(super) fn read() -> (Usage, u64) {
        // SAFETY: an rusage consists of integers only, for which all zeros are valid.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `usage` is an rusage that the call may write; with these arguments it cannot fail.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        let counts = Usage {
            page_faults: (usage.ru_minflt + usage.ru_majflt) as u64,
            cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        };
        // The unit is KiB on all systems except Apple's.
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        (counts, usage.ru_maxrss as u64 * unit)
    }
}

/// The counts of this process, and the maximum of its resident bytes.
#[cfg(windows)]
mod system {
    use windows_sys::Win32::Foundation::FILETIME;
    use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessTimes};

    use super::Usage;

    pub(super) fn read() -> (Usage, u64) {
        let mut memory = PROCESS_MEMORY_COUNTERS::default();
        let [mut created, mut ended, mut kernel, mut user] = [FILETIME::default(); 4];
        let bytes = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
        // SAFETY: the calls may write all of these; with these arguments they cannot fail.
        unsafe {
            K32GetProcessMemoryInfo(GetCurrentProcess(), &mut memory, bytes);
            GetProcessTimes(GetCurrentProcess(), &mut created, &mut ended, &mut kernel, &mut user);
        }
        // The unit is 100 ns.
        let units = |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
        let counts = Usage {
            page_faults: memory.PageFaultCount.into(),
            cpu_seconds: (units(kernel) + units(user)) as f64 / 1e7,
        };
        (counts, memory.PeakWorkingSetSize as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_memory_shows() {
        let before = Usage::now();
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        assert!(Usage::now().page_faults >= before.page_faults + 16);
        assert!(peak_resident_bytes() >= 64 << 20);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_resident_now_is_told_with_the_threads() {
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let now = Now::read().expect("Linux tells");
        assert!(now.resident_bytes >= block.len() as u64 && now.threads >= 1, "{now:?}");
    }
}
