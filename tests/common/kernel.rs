//! Reads what the kernel reports about memory, and makes it deny a system call or a lock. Linux only.

#![allow(dead_code, reason = "every test file compiles this module for itself and uses a part of it")]

use std::alloc::GlobalAlloc;
use std::fs::read_to_string;
use std::io::{Error, Result};
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::process::Command;

use framepool::{Class, PoolAlloc};

/// One mapping of `/proc/self/smaps`.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) range: Range<usize>,
    lines: Vec<String>,
}

impl Mapping {
    pub(crate) fn all() -> Vec<Self> {
        let mut mappings: Vec<Self> = Vec::new();
        for line in read_to_string("/proc/self/smaps").unwrap().lines() {
            if !line.starts_with(|first: char| first.is_ascii_uppercase()) {
                let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
                let address = |text| usize::from_str_radix(text, 16).unwrap();
                mappings.push(Self { range: address(start)..address(end), lines: Vec::new() });
            }
            mappings.last_mut().unwrap().lines.push(line.to_owned());
        }
        mappings
    }

    /// Returns the mapping that `ptr` lies in.
    pub(crate) fn of(ptr: *const u8) -> Self {
        Self::all().into_iter().find(|mapping| mapping.range.contains(&ptr.addr())).unwrap()
    }

    /// Returns the name that the kernel shows in brackets, if there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.lines[0].split_once('[').map(|(_, name)| name.trim_end_matches(']'))
    }

    /// Returns a field, in bytes.
    pub(crate) fn bytes(&self, field: &str) -> u64 {
        let value = self.lines.iter().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
        value.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
    }

    /// Whether the mapping has a flag, given by its two letters.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.lines.last().unwrap().split(' ').any(|found| found == flag)
    }
}

/// Returns the slabs of a pool, smallest class first. No slot of the pool may be live. Takes and gives a
/// block of each class, and writes to none.
pub(crate) fn slabs(pool: &PoolAlloc) -> [Mapping; 4] {
    Class::ALL.map(|class| {
        let layout = super::common::layout(pool.stats().class(class).slot_bytes as usize, 1);
        // SAFETY: not empty; freed as it was allocated.
        unsafe {
            let ptr = pool.alloc(layout);
            assert!(pool.owns(ptr));
            pool.dealloc(ptr, layout);
            Mapping::of(ptr)
        }
    })
}

/// Returns the sum of a field over all slabs, in bytes.
pub(crate) fn sum(slabs: &[Mapping], field: &str) -> u64 {
    slabs.iter().map(|slab| slab.bytes(field)).sum()
}

/// Whether each page of the range has memory, as `mincore` reports it.
pub(crate) fn is_resident(range: &Range<usize>) -> bool {
    let mut pages = vec![0_u8; (range.len()).div_ceil(page_bytes())];
    let start = std::ptr::with_exposed_provenance_mut::<libc::c_void>(range.start);
    // SAFETY: `pages` has a byte for each page of the range, which the kernel does not change.
    let failed = unsafe { libc::mincore(start, range.len(), pages.as_mut_ptr()) };
    assert_eq!(failed, 0, "{}", Error::last_os_error());
    pages.iter().all(|page| page & 1 != 0)
}

pub(crate) fn page_bytes() -> usize {
    // SAFETY: a query that takes no pointer.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// The number of page faults of this thread so far.
pub(crate) fn faults() -> i64 {
    // SAFETY: `rusage` consists of integers, for which zeros are valid; the call writes them.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
        (usage.ru_minflt + usage.ru_majflt) as _
    }
}

/// Returns the setting of transparent huge pages: `always`, `madvise`, or `never`. If the kernel has none, it
/// is `never`.
pub(crate) fn huge_pages_setting() -> String {
    let setting = read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let chosen = setting.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    chosen.map_or("never", |(chosen, _)| chosen).to_owned()
}

/// Makes system call `number` fail with `errno` from now on, on this thread and on the threads that it
/// starts. If `argument` is an index and a value, only calls with that value there fail. If `errno` is 0, the
/// call succeeds and does nothing.
pub(crate) fn inject_failure(number: libc::c_long, argument: Option<(u32, u32)>, errno: libc::c_int) {
    let instruction =
        |code: u32, k: u32, otherwise: u8| libc::sock_filter { code: code as u16, jt: 0, jf: otherwise, k };
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0);
    let unless = |value, skip| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, skip);
    let answer = |value| instruction(libc::BPF_RET | libc::BPF_K, value, 0);
    // `seccomp_data` has the number first. Six arguments of 8 bytes follow from byte 16 on.
    let low_half = if cfg!(target_endian = "little") { 0 } else { 4 };
    let (place, value) = argument.unwrap_or((0, 0));
    let mut filter = vec![load(0), unless(number as u32, if argument.is_some() { 3 } else { 1 })];
    if argument.is_some() {
        filter.extend([load(16 + 8 * place + low_half), unless(value, 1)]);
    }
    filter.extend([answer(libc::SECCOMP_RET_ERRNO | errno as u32), answer(libc::SECCOMP_RET_ALLOW)]);
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: a valid program, which the kernel copies.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0, "{}", Error::last_os_error());
        let failed = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program);
        assert_eq!(failed, 0, "{}", Error::last_os_error());
    }
}

/// Makes `command` start with a limit, and without the right to exceed the limit on locked memory.
pub(crate) fn limit(command: &mut Command, resource: libc::c_int, bytes: u64) {
    const CAP_IPC_LOCK: libc::c_ulong = 14;
    let limit = libc::rlimit { rlim_cur: bytes as _, rlim_max: bytes as _ };
    let apply = move || -> Result<()> {
        // SAFETY: a valid limit; only system calls run between fork and exec.
        unsafe {
            // Root would have the right again after `exec`, so it is dropped here. Other users have nothing
            // to drop, and the call fails.
            libc::prctl(libc::PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0);
            if libc::setrlimit(resource as _, &limit) == 0 { Ok(()) } else { Err(Error::last_os_error()) }
        }
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(apply) };
}

/// Whether this process may lock memory beyond its limit.
pub(crate) fn may_lock_anything() -> bool {
    let status = read_to_string("/proc/self/status").unwrap();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(rights.trim(), 16).unwrap() & 1 << 14 != 0
}
