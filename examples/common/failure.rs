//! The reason why a program stops: one line for people, and one exit status for scripts. The examples and
//! benches/peers share this file.

use std::fmt;
use std::path::Path;

/// An error message and the exit status, which tells a mistake of the user from a failure of the program.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u8,
    text: String,
}

impl Failure {
    /// The user gave impossible input: exit status 2.
    pub(crate) fn bad_input(text: impl Into<String>) -> Self {
        Self { status: 2, text: text.into() }
    }

    /// A flag is unknown or out of its range: exit status 2. The message is clap's first paragraph in one
    /// line, without the leading "error: ".
    pub(crate) fn bad_flag(error: &clap::Error) -> Self {
        let text = error.to_string();
        let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
        Self::bad_input(lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: "))
    }

    /// A step failed that should have worked: exit status 1.
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
