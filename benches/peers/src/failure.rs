//! Why the program stops: one line for people, one exit status for scripts.

use std::fmt;
use std::path::Path;

/// What went wrong, and whose fault it was.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u8,
    text: String,
}

impl Failure {
    /// The user asked for something that cannot be: exit status 2.
    pub(crate) fn bad_input(text: impl Into<String>) -> Self {
        Self { status: 2, text: text.into() }
    }

    /// Something failed that should have worked: exit status 1.
    pub(crate) fn broken(text: impl Into<String>) -> Self {
        Self { status: 1, text: text.into() }
    }

    /// A file could not be read, written or understood.
    pub(crate) fn file(path: &Path, error: impl fmt::Display) -> Self {
        Self::broken(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
