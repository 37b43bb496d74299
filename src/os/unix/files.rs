//! The files that a program names in `FRAMEPOOL`, and standard error: a table that is read when the program
//! starts, and the output that is written when it ends.
//!
//! Files are opened within the program's first allocation, so nothing here allocates. Descriptors that stay open
//! are 100 or more, apart from the program's own, and are closed in programs that this one executes.

use core::ffi::CStr;

use super::super::Errno;
use super::super::this_process;
use super::signals::without_signals_of_writes;

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
    identity: Identity,
    /// The process that opened the file; `None` for standard error, which its children share.
    opened_by: Option<u64>,
    /// Whether the text takes the place of what is in the file: a regular file that is not standard output or
    /// standard error.
    replaces: bool,
}

/// The device and the inode of a file.
pub(crate) type Identity = (u64, u64);

impl ExitOutput {
    /// The text in a file until the program ends. A killed program leaves it there.
    const NOT_ENDED: &[u8] = b"# The program has not ended yet.\n";

    /// Returns a duplicate of standard error. `None` if there is no standard error, or no descriptor for the
    /// duplicate.
    pub(crate) fn standard_error() -> Option<Self> {
        let identity = status(libc::STDERR_FILENO)?.0;
        let descriptor = duplicate(libc::STDERR_FILENO)?;
        Some(Self { descriptor, identity, opened_by: None, replaces: false })
    }

    /// Opens a file, and creates it if it does not exist. What is in a regular file is gone from now on, unless it
    /// is standard output or standard error.
    pub(crate) fn file(path: &CStr) -> Result<Self, Errno> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOCTTY | libc::O_NONBLOCK;
        let opened = open(path, flags)?;
        let output = Self::of(opened).ok_or_else(Errno::last);
        close(opened);
        let output = output?;
        // The program may still do its work if the text gets lost.
        let _ = output.write(Self::NOT_ENDED, true);
        Ok(output)
    }

    fn of(opened: libc::c_int) -> Option<Self> {
        let (identity, is_regular) = status(opened)?;
        let is_same = |&standard: &libc::c_int| status(standard).is_some_and(|(same, _)| same == identity);
        // A descriptor of its own would write over what the program writes there.
        let standard = [libc::STDOUT_FILENO, libc::STDERR_FILENO].into_iter().find(is_same);
        let descriptor = duplicate(standard.unwrap_or(opened))?;
        let replaces = is_regular && standard.is_none();
        Some(Self { descriptor, identity, opened_by: Some(this_process()), replaces })
    }

    /// Whether the output is a file that a program named.
    pub(crate) fn is_file(self) -> bool {
        self.opened_by.is_some()
    }

    /// Returns what tells its file from others.
    pub(crate) fn identity(self) -> Identity {
        self.identity
    }

    /// Whether this process may write: the one that opened the file, or any with standard error. The child of a
    /// `fork` leaves a file to its parent.
    pub(crate) fn may_write(self) -> bool {
        self.opened_by.is_none_or(|process| process == this_process())
    }

    /// Writes the whole text, in a regular file behind what is there or in its place. Does nothing if the descriptor
    /// was closed or belongs to another file by now.
    pub(crate) fn write(self, text: &[u8], is_first: bool) -> Result<(), Errno> {
        if status(self.descriptor).is_none_or(|(identity, _)| identity != self.identity) {
            return Ok(());
        }
        if self.replaces {
            // SAFETY: the calls take only numbers. If they fail, so does the write, or the text is behind the old.
            unsafe {
                if is_first {
                    libc::ftruncate(self.descriptor, 0);
                }
                libc::lseek(self.descriptor, 0, libc::SEEK_END);
            }
        }
        without_signals_of_writes(|| write_to(self.descriptor, text))
    }
}

/// Returns a duplicate of a descriptor, out of the way of the program's own.
fn duplicate(descriptor: libc::c_int) -> Option<libc::c_int> {
    const OUT_OF_THE_WAY: libc::c_int = 100;
    // If the process may not have a number that high, the lowest free number above standard error's is used.
    [OUT_OF_THE_WAY, libc::STDERR_FILENO + 1].into_iter().find_map(|lowest| {
        // SAFETY: the call takes only numbers.
        let new = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, lowest) };
        (new >= 0).then_some(new)
    })
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

/// Returns the identity of a descriptor's file, and whether it is a regular one; `None` if it is not open.
fn status(descriptor: libc::c_int) -> Option<(Identity, bool)> {
    // SAFETY: the type consists of numbers, for which all zeros are valid.
    let mut status: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the call accepts any number, and the place for the answer is valid.
    let is_open = unsafe { libc::fstat(descriptor, &mut status) } == 0;
    // The types differ from system to system.
    let is_regular = status.st_mode as u64 & libc::S_IFMT as u64 == libc::S_IFREG as u64;
    is_open.then_some(((status.st_dev as u64, status.st_ino as u64), is_regular))
}
