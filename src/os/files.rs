//! The files that a program names in `FRAMEPOOL`, and standard error: a table that is read when the program
//! starts, and the output that is written when it ends.
//!
//! Files are opened within the program's first allocation, so nothing here allocates. Descriptors that stay open
//! are 100 or more, apart from the program's own, and are closed in programs that this one executes.

use core::ffi::CStr;

use super::Errno;
use super::threads::this_process;

/// Reads the beginning of a file, as much as `buffer` has room for, and returns how many bytes these are.
///
/// It waits for no other process: a pipe without a writer is empty.
pub(crate) fn read_file(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    let descriptor = open(path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let mut len = 0;
    let outcome = loop {
        let rest = &mut buffer[len..];
        // SAFETY: a valid buffer of that length.
        let bytes = unsafe { libc::read(descriptor, rest.as_mut_ptr().cast(), rest.len()) };
        match usize::try_from(bytes) {
            Ok(0) => break Ok(len),
            Ok(bytes) => len += bytes,
            Err(_) if was_interrupted() => {}
            Err(_) => break Err(Errno::last()),
        }
    };
    close(descriptor);
    outcome
}

/// An output for a text that is written when the program ends. By then its descriptor may belong to another file
/// of the program.
#[derive(Clone, Copy)]
pub(crate) struct ExitOutput {
    descriptor: libc::c_int,
    device: u64,
    inode: u64,
    /// The process that opened the file; `None` for standard error, which its children share.
    opened_by: Option<u64>,
}

impl ExitOutput {
    /// Returns a duplicate of standard error. `None` if there is no standard error, or no descriptor for the
    /// duplicate.
    pub(crate) fn standard_error() -> Option<Self> {
        Self::duplicate(libc::STDERR_FILENO, None)
    }

    /// Opens a file, and makes it if it is not there. What is in it stays until the program writes.
    pub(crate) fn file(path: &CStr) -> Result<Self, Errno> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOCTTY | libc::O_NONBLOCK;
        let descriptor = open(path, flags)?;
        let output = Self::duplicate(descriptor, Some(this_process())).ok_or_else(Errno::last);
        close(descriptor);
        output
    }

    fn duplicate(descriptor: libc::c_int, opened_by: Option<u64>) -> Option<Self> {
        const OUT_OF_THE_WAY: libc::c_int = 100;
        let (device, inode) = identity(descriptor)?;
        // If the process may not have a number that high, the lowest free number above standard error's is
        // used.
        let descriptor = [OUT_OF_THE_WAY, libc::STDERR_FILENO + 1].into_iter().find_map(|lowest| {
            // SAFETY: the call takes only numbers.
            let new = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, lowest) };
            (new >= 0).then_some(new)
        })?;
        Some(Self { descriptor, device, inode, opened_by })
    }

    /// Whether the output is a file, not standard error.
    pub(crate) fn is_file(self) -> bool {
        self.opened_by.is_some()
    }

    /// Whether this process opened the file. The child of a `fork` did not, and leaves it to its parent.
    pub(crate) fn is_own(self) -> bool {
        self.opened_by.is_none_or(|process| process == this_process())
    }

    /// Writes the whole text, in a file in the place of what is there. Does nothing if the descriptor was closed
    /// or belongs to another file by now.
    pub(crate) fn write(self, text: &[u8]) -> Result<(), Errno> {
        if identity(self.descriptor) != Some((self.device, self.inode)) {
            return Ok(());
        }
        if self.is_file() {
            // SAFETY: the calls take only numbers. What is not a regular file denies both, which does not matter.
            unsafe {
                libc::ftruncate(self.descriptor, 0);
                libc::lseek(self.descriptor, 0, libc::SEEK_SET);
            }
        }
        write_to(self.descriptor, text)
    }
}

/// Writes the whole text. If a signal interrupts the write, it tries again.
pub(super) fn write_to(descriptor: libc::c_int, mut text: &[u8]) -> Result<(), Errno> {
    while !text.is_empty() {
        // SAFETY: a valid buffer of that length.
        let written = unsafe { libc::write(descriptor, text.as_ptr().cast(), text.len()) };
        match usize::try_from(written) {
            Ok(written @ 1..) => text = &text[written.min(text.len())..],
            Err(_) if was_interrupted() => {}
            _ => return Err(Errno::last()),
        }
    }
    Ok(())
}

fn was_interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

fn open(path: &CStr, flags: libc::c_int) -> Result<libc::c_int, Errno> {
    const MODE: libc::c_uint = 0o666;
    // SAFETY: a valid path.
    let descriptor = unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, MODE) };
    if descriptor < 0 { Err(Errno::last()) } else { Ok(descriptor) }
}

fn close(descriptor: libc::c_int) {
    // SAFETY: opened here, and not used any more.
    unsafe { libc::close(descriptor) };
}

/// Returns the device and the inode of a descriptor's file; `None` if the descriptor is not open.
fn identity(descriptor: libc::c_int) -> Option<(u64, u64)> {
    // SAFETY: the type consists of numbers, for which all zeros are valid.
    let mut status: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the call accepts any number, and the place for the answer is valid.
    let is_open = unsafe { libc::fstat(descriptor, &mut status) } == 0;
    is_open.then_some((status.st_dev as u64, status.st_ino as u64))
}
