//! Reading the pools of a running process from outside, as the program `framepool` does.
//!
//! The process need not do anything for it: it starts no thread, is not paused, and its hits cost what they cost otherwise.
//! All that the pools know lies in one mapping of their own, which the kernel lets another process read.
//!
//! ```
//! use framepool::inspect::{Error, Process};
//!
//! let pid = std::process::id();
//! let report = |pid| -> Result<(), Error> {
//!     let process = Process::attach(pid)?;
//!     for allocator in process.allocators()? {
//!         println!("{allocator}:\n{}", allocator.stats()?);
//!     }
//!     Ok(())
//! };
//! # #[cfg(target_os = "linux")]
//! assert_eq!(report(pid), Err(Error::NoPools(pid)), "this example has no pools");
//! ```
//!
//! # Whom it may read
//!
//! The kernel decides, as for a debugger. It lets a user read
//!
//! - the user's own processes, if Yama's `ptrace_scope` is 0 or the kernel has no Yama;
//! - the children of the reading process, if it is 1, as many distributions set it;
//! - every process, as root (`CAP_SYS_PTRACE`), unless it is 3.
//!
//! The process must have pools of the same version and build of this crate: the sizes and offsets of all that is read are
//! compared first. Everything read may be out of date or changing, and is checked before it is used: figures that
//! contradict each other are read again, five times at most.
//!
//! # What it cannot tell
//!
//! - Requests from before the pools were reserved are not in the figures. They are few: those of other threads while
//!   the first allocation reserves the pools.
//! - Whether the pools are switched off now. Bypasses tell: [`Bypass::Disabled`](crate::Bypass::Disabled).
//! - What the system denied to do for the slots' memory. The figures of the residency are the kernel's own.
//!
//! Other systems than Linux have no such files: [`attach`](Process::attach) says so there.

mod allocator;
mod error;
mod memory;
mod process;
mod signature;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod torn;

pub use allocator::{Allocator, Kind};
pub use error::Error;
pub use process::Process;

#[cfg(all(test, target_os = "linux", not(framepool_os = "none")))]
mod tests;
