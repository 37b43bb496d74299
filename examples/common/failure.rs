//! Why a program stops: one line for people, one exit status for scripts. Shared by the examples and by benches/peers.

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

    /// A flag that is unknown or out of its range. What clap would say in a paragraph is said in one line: up to its first blank
    /// one, without the word that stands before it.
    pub(crate) fn bad_flag(error: &clap::Error) -> Self {
        let text = error.to_string();
        let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
        Self::bad_input(lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: "))
    }

    /// Something failed that should have worked: exit status 1.
    pub(crate) fn broken(text: impl Into<String>) -> Self {
        Self { status: 1, text: text.into() }
    }

    /// A file could not be read, written or understood: exit status 1.
    #[allow(dead_code, reason = "not every program that shares this writes files")]
    pub(crate) fn file(path: &Path, error: impl fmt::Display) -> Self {
        Self::broken(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
