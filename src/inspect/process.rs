//! A process by its number: the files of `/proc` about it.

use core::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};

use crate::inspect::allocator::Allocator;
use crate::inspect::error::Error;
use crate::inspect::memory::Memory;
use crate::inspect::signature;

/// Another process, or this one, whose pools can be read.
///
/// It stays the process that it was attached to: if that ends and its number goes to another process, or if it
/// executes another program, each read fails with [`Error::Ended`].
#[derive(Debug)]
pub struct Process {
    memory: ProcessMemory,
}

impl Process {
    /// Prepares to read a process. `pid` is its number in the PID namespace of the caller.
    ///
    /// Opens two files of `/proc`. The process does not notice.
    ///
    /// # Errors
    ///
    /// There is no such process, it has ended, the kernel denies reading it, or this is not Linux.
    pub fn attach(pid: u32) -> Result<Self, Error> {
        if !cfg!(any(target_os = "linux", target_os = "android")) {
            return Err(Error::Unsupported);
        }
        let file = File::open(format!("/proc/{pid}/mem")).map_err(|error| refusal(pid, &error))?;
        let process = Self { memory: ProcessMemory { pid, file } };
        // The file of a zombie opens, and has nothing in it.
        if is_zombie(pid) { Err(Error::Zombie(pid)) } else { process.maps().map(|_| process) }
    }

    /// The number of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.memory.pid
    }

    /// Finds the pools of the process: those of its allocators and of its `BufferPool`s, by address.
    ///
    /// Reads the list of the process's mappings, and a cache line of each that may be the metadata of pools.
    ///
    /// # Errors
    ///
    /// The process has no pools, only pools of another version or build of this crate, or has ended. Pools of another build
    /// beside some of this one are left out.
    pub fn allocators(&self) -> Result<Vec<Allocator<'_>>, Error> {
        let found = signature::find(&self.memory, self.pid(), &self.maps()?)?;
        Ok(found.into_iter().map(|found| Allocator::new(&self.memory, self.pid(), found)).collect())
    }

    fn maps(&self) -> Result<String, Error> {
        let pid = self.pid();
        let maps = fs::read(format!("/proc/{pid}/maps")).map_err(|error| refusal(pid, &error))?;
        // The memory may be that of an earlier process of this number, or of its last program: then it cannot be read.
        let maps = String::from_utf8_lossy(&maps).into_owned();
        let first = maps.lines().next().and_then(signature::addresses);
        let Some(first) = first else { return Err(ended(pid)) };
        self.memory.read(first.start, &mut [0]).map(|()| maps)
    }
}

/// The memory of a process, as its file `mem` has it. The file belongs to the program that the process executed when it was
/// opened.
struct ProcessMemory {
    pid: u32,
    file: File,
}

impl fmt::Debug for ProcessMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.fmt(f)
    }
}

impl Memory for ProcessMemory {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        read_at(&self.file, bytes, address).map_err(|error| match error.kind() {
            // The end of the file: there is no memory any more.
            ErrorKind::UnexpectedEof => ended(self.pid),
            // EIO: nothing is mapped there.
            _ if error.raw_os_error() == Some(EIO) => Error::Gone(self.pid),
            _ => refusal(self.pid, &error),
        })
    }
}

/// The error for memory that is not mapped, on Linux.
const EIO: i32 = 5;

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], address: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, address)
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Whether the process has ended and waits for its parent to ask how.
fn is_zombie(pid: u32) -> bool {
    // The state comes after the name, which may have parentheses of its own.
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let name_end = stat.iter().rposition(|&byte| byte == b')');
    name_end.is_some_and(|end| stat[end + 1..].trim_ascii_start().starts_with(b"Z"))
}

/// Returns the error for a process that has no memory any more.
fn ended(pid: u32) -> Error {
    if is_zombie(pid) { Error::Zombie(pid) } else { Error::Ended(pid) }
}

/// Returns the reason for an error of one of the process's files.
fn refusal(pid: u32, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NoProcess(pid),
        ErrorKind::PermissionDenied => {
            let setting = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
            Error::Denied { pid, ptrace_scope: setting.ok().and_then(|setting| setting.trim().parse().ok()) }
        }
        // ESRCH: it has no memory any more.
        _ if error.raw_os_error() == Some(ESRCH) => ended(pid),
        _ => Error::System { pid, reason: error.to_string() },
    }
}

/// The error for a process that has ended, on Linux.
const ESRCH: i32 = 3;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A sibling under Yama's `ptrace_scope` 1 is denied with EPERM or EACCES, as another user's process is.
    #[test]
    fn a_denial_names_yama_where_it_is_the_reason_and_both_ways_out() {
        let pid = std::process::id();
        for errno in [1, 13] {
            let denied = refusal(pid, &io::Error::from_raw_os_error(errno));
            assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
        }
        for (ptrace_scope, reason) in
            [(Some(1), "Yama's ptrace_scope is 1"), (Some(0), "another user's"), (None, "another user's")]
        {
            let text = Error::Denied { pid, ptrace_scope }.to_string();
            for part in [reason, "sudo", "framepool stats -- COMMAND"] {
                assert!(text.contains(part), "{text}");
            }
            assert_eq!(text.lines().count(), 1);
        }
    }
}
