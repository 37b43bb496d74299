//! The reasons why a process cannot be read.

use core::fmt;

/// The version of this crate.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The reason why a process could not be read: see [`Process`](super::Process). Its text is one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no process of this number here.
    NoProcess(u32),
    /// The process has ended, and its parent has not yet asked how.
    Zombie(u32),
    /// The process has ended, or executes another program now.
    Ended(u32),
    /// The kernel does not let this user read the process.
    Denied {
        /// The number of the process.
        pid: u32,
        /// The setting of Yama, Linux's module that restricts tracing, where there is one: `ptrace_scope`, 0 to 3.
        ptrace_scope: Option<u8>,
    },
    /// There are no pools in the process.
    NoPools(u32),
    /// The pools are those of another version of this crate, or of another build of it.
    OtherBuild {
        /// The number of the process.
        pid: u32,
        /// The version of the crate there.
        version: String,
    },
    /// The figures contradicted each other each time they were read.
    Torn(u32),
    /// The allocator is not there any more: a `BufferPool` was dropped.
    Gone(u32),
    /// The allocator recorded nothing: see [`Config::record`](crate::Config::record).
    NotRecorded(u32),
    /// Only on Linux can another process be read.
    Unsupported,
    /// A file of `/proc` could not be read.
    System {
        /// The number of the process.
        pid: u32,
        /// The reason, as the system words it.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoProcess(pid) => {
                write!(
                    f,
                    "no process {pid} here (a container or another PID namespace has numbers of its own)"
                )
            }
            Error::Zombie(pid) => {
                write!(f, "process {pid} has ended: it is a zombie until its parent waits for it")
            }
            Error::Ended(pid) => write!(f, "process {pid} has ended, or executes another program"),
            Error::Denied { pid, ptrace_scope } => {
                write!(f, "the kernel denies reading process {pid}: ")?;
                match ptrace_scope {
                    Some(scope @ 1..) => write!(f, "Yama's ptrace_scope is {scope}; ")?,
                    _ => f.write_str("it is another user's, or protected; ")?,
                }
                f.write_str(
                    "be root (sudo), or start the program as a child of this one (framepool stats -- COMMAND)",
                )
            }
            Error::NoPools(pid) => write!(f, "process {pid} has no pools of framepool {}", VERSION),
            Error::OtherBuild { pid, version } if version == VERSION => write!(
                f,
                "process {pid} has pools of framepool {version}, but of another build: another word size, or changed sources"
            ),
            Error::OtherBuild { pid, version } => {
                write!(f, "process {pid} has pools of framepool {version}, and this is {}", VERSION)
            }
            Error::Torn(pid) => {
                write!(f, "the figures of process {pid} contradicted each other each time they were read")
            }
            Error::Gone(pid) => write!(f, "the pools are gone from process {pid}: a BufferPool was dropped"),
            Error::NotRecorded(pid) => {
                write!(
                    f,
                    "process {pid} records nothing: start it with FRAMEPOOL=record (framepool advise -- COMMAND)"
                )
            }
            Error::Unsupported => f.write_str("only on Linux can another process be read"),
            Error::System { pid, reason } => write!(f, "cannot read process {pid}: {reason}"),
        }
    }
}

impl core::error::Error for Error {}
