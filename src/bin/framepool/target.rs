//! A process and its name.

use std::fmt;
use std::fs;

use framepool::inspect::{Allocator, Error, Process};

/// A process, as the texts name it.
pub(crate) struct Named<'a>(pub(crate) &'a Process);

/// Writes the name, if the system tells it, and the number: `server, process 1234`.
impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.0.pid();
        // The name is what the process says of itself: no control characters.
        if let Ok(name) = fs::read_to_string(format!("/proc/{pid}/comm")) {
            write!(f, "{}, ", name.trim().escape_default())?;
        }
        write!(f, "process {pid}")
    }
}

/// Reads something of each allocator of a process. One that is gone meanwhile is left out.
///
/// # Errors
///
/// The process or an allocator cannot be read, or none is left.
pub(crate) fn of_each<T>(
    process: &Process,
    read: impl Fn(&Allocator<'_>) -> Result<T, Error>,
) -> Result<Vec<(String, T)>, Error> {
    let mut all = Vec::new();
    for allocator in process.allocators()? {
        match read(&allocator) {
            Ok(figures) => all.push((allocator.to_string(), figures)),
            Err(Error::Gone(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if all.is_empty() { Err(Error::NoPools(process.pid())) } else { Ok(all) }
}
