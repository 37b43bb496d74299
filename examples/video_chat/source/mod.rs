//! The source of the clip: drawn, a file, or a pipe. Every run needs the clip, so a pipe is spooled to a file
//! first.
//!
//! The file is opened once and passed to each run as its standard input. All runs therefore read the same
//! bytes, even if the name changes. The spool file has no name at all, and vanishes with the process.

mod y4m;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::{env, fs, process};

pub(crate) use y4m::MAX_SIDE;

use crate::failure::Failure;
use crate::server::Clip;

/// The maximum size of a clip in bytes. Every run holds it in memory.
const MAX_BYTES: u64 = 1 << 30;

/// Opens the clip that `--clip` names. `-` and other inputs that cannot be read twice are spooled.
///
/// # Errors
///
/// There is no such file, the user may not read it, or the clip is too long for the spool or for the disk.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    if path.as_os_str() == "-" {
        return spool(io::stdin().lock(), MAX_BYTES);
    }
    let failed = |error: io::Error| Failure::bad_input(format!("cannot read {}: {error}", path.display()));
    // Not every system opens a directory, so its kind is asked for by its name.
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Failure::bad_input(format!("cannot read {}: it is a directory", path.display())));
    }
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_file() { Ok(file) } else { spool(file, MAX_BYTES) }
}

/// Reads the clip in `file`. `name` is its name in messages.
///
/// # Errors
///
/// The clip is not valid. The message is one line that starts with `name`.
pub(crate) fn read(mut file: &File, name: &str) -> Result<Clip, Failure> {
    let failed = |text: String| Failure::bad_input(format!("{name}: {text}"));
    file.rewind().map_err(|error| failed(error.to_string()))?;
    let bytes = file.metadata().map_err(|error| failed(error.to_string()))?.len();
    if bytes > MAX_BYTES {
        return Err(failed(format!("{bytes} bytes are too many: {}", limit(MAX_BYTES))));
    }
    y4m::read(file, bytes as usize).map_err(failed)
}

/// Returns the file that this process got as its standard input.
///
/// # Errors
///
/// Standard input is closed.
pub(crate) fn inherited() -> Result<File, Failure> {
    #[cfg(unix)]
    let input = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let input = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned();
    input.map(File::from).map_err(|error| Failure::broken(format!("no clip on standard input: {error}")))
}

/// Copies `input` to a file without a name. More than `most` bytes are an error.
fn spool(input: impl Read, max: u64) -> Result<File, Failure> {
    let folder = env::temp_dir();
    let failed = |error: io::Error| {
        Failure::bad_input(format!("cannot spool the clip to {} (set TMPDIR): {error}", folder.display()))
    };
    let mut file = unnamed(&folder).map_err(failed)?;
    let mut input = input.take(max + 1);
    let mut chunk = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return Ok(file),
            Ok(count) => {
                bytes += count as u64;
                if bytes > max {
                    return Err(Failure::bad_input(format!(
                        "the clip on the pipe is too long: {}",
                        limit(max)
                    )));
                }
                file.write_all(&chunk[..count]).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::bad_input(format!("cannot read the clip: {error}"))),
        }
    }
}

/// Makes a new file in `folder` that no other user can open. It vanishes with its last user.
fn unnamed(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // On Windows, a file that is removed keeps its name until its last user has closed it.
    // Elsewhere a name is taken only until its file is unlinked. A process that dies in between leaves its name taken.
    let names = (0..100).map(|attempt| folder.join(format!("video_chat-{}-{attempt}.y4m", process::id())));
    let mut error = io::Error::from(io::ErrorKind::AlreadyExists);
    for name in names {
        match options.open(&name) {
            Ok(file) => return fs::remove_file(&name).map(|()| file),
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => error = taken,
            Err(other) => return Err(other),
        }
    }
    Err(error)
}

fn limit(max: u64) -> String {
    format!("a clip has at most {max} bytes; cut it, with `ffmpeg -t 10` for example")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection<T>(result: Result<T, Failure>) -> String {
        let Err(failure) = result else { panic!("taken") };
        assert_eq!(failure.status, 2);
        failure.to_string()
    }

    #[test]
    fn files_that_cannot_be_read_are_refused() {
        let missing = rejection(open(Path::new("/no/such/clip.y4m")));
        let why = if cfg!(unix) { "No such file" } else { "" };
        assert!(missing.starts_with(&format!("cannot read /no/such/clip.y4m: {why}")), "{missing}");
        assert_eq!(rejection(open(Path::new("/"))), "cannot read /: it is a directory");
    }

    #[test]
    fn a_pipe_is_spooled_and_can_be_read_more_than_once() {
        let clip = b"YUV4MPEG2 W2 H2 F25:1 C420jpeg\nFRAME\n123456FRAME\nabcdef";
        let file = spool(&clip[..], 1_000).expect("room");
        for _ in 0..2 {
            assert_eq!(read(&file, "-").expect("whole").len(), 2);
        }
    }

    #[test]
    fn an_endless_pipe_is_refused_at_the_bound() {
        let text = rejection(spool(io::repeat(0), 3 << 20));
        assert!(text.contains("too long: a clip has at most 3145728 bytes"), "{text}");
        assert!(spool(io::repeat(0).take(3 << 20), 3 << 20).is_ok());
    }
}
