//! The machine and the build of a run, which must stand beside a figure for it to mean anything.

use std::ffi::CStr;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// The data that is kept of a run beside its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunInfo {
    pub(crate) command: String,
    pub(crate) commit: String,
    pub(crate) rounds: u32,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) glibc: String,
    pub(crate) huge_pages: String,
    pub(crate) rustc: String,
    pub(crate) c_compiler: String,
}

impl RunInfo {
    /// Describes this run, on this machine, of the commit that is checked out. A value that cannot be found
    /// is "unknown".
    pub(crate) fn here(command: String, rounds: u32) -> Self {
        Self {
            command,
            commit: commit(),
            rounds,
            processor: processor(),
            cores: available_parallelism().map_or(0, usize::from),
            kernel: text("/proc/sys/kernel/osrelease"),
            glibc: glibc(),
            huge_pages: chosen(&text("/sys/kernel/mm/transparent_hugepage/enabled")),
            rustc: first_line("rustc", &["--version"]),
            c_compiler: first_line("cc", &["--version"]),
        }
    }
}

/// Returns the short hash of the commit, with a mark if the checked-out files differ from it.
fn commit() -> String {
    let changes = Command::new("git").args(["diff", "--quiet", "HEAD"]).status();
    let changed = changes.is_ok_and(|status| !status.success());
    first_line("git", &["rev-parse", "--short", "HEAD"]) + if changed { ", changed" } else { "" }
}

fn processor() -> String {
    let told = text("/proc/cpuinfo");
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(unknown, |(_, model)| model.trim().to_owned())
}

#[cfg(target_env = "gnu")]
fn glibc() -> String {
    // SAFETY: always callable; returns a constant string that ends in a zero.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    version.to_string_lossy().into_owned()
}

#[cfg(not(target_env = "gnu"))]
fn glibc() -> String {
    "none".to_owned()
}

/// Returns the word in brackets, as in `always [madvise] never`.
fn chosen(choices: &str) -> String {
    let word = choices.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    word.map_or_else(unknown, |(word, _)| word.to_owned())
}

fn text(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| unknown(), |text| text.trim().to_owned())
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    let line = output.and_then(|output| {
        String::from_utf8_lossy(&output.stdout).lines().next().map(|line| line.trim().to_owned())
    });
    line.unwrap_or_else(unknown)
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_the_word_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!(chosen(""), "unknown");
    }
}
