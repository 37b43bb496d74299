//! One sample in a process of its own, from both sides: how the parent starts it, and what the child does.
//!
//! A process for each sample costs a few milliseconds and has three advantages. glibc is in a known state.
//! There is no heap that an earlier workload left behind. Addresses differ from sample to sample, so a lucky
//! layout affects one sample only.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::contestants::{self, Contestant, Kind};
use crate::failure::Failure;
use crate::outcome::{Outcome, POOLED};
use crate::workloads::{self, Workload};

/// One sample to be taken.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) workload: &'static Workload,
    pub(crate) bytes: usize,
    pub(crate) contestant: &'static Contestant,
    /// The time of a plain workload. Some workloads run for a multiple of it.
    pub(crate) time: Duration,
}

impl Sample {
    /// Takes the sample in a process of its own. Returns `None` if a peer crashed there, as some do; a crash
    /// of the pools is an error.
    ///
    /// # Errors
    ///
    /// The process could not start, failed, or printed nonsense.
    pub(crate) fn take(self) -> Result<Option<Outcome>, Failure> {
        let Self { workload, bytes, contestant, time } = self;
        let failed = |why: String| {
            Failure::broken(format!("{} of {bytes} bytes on {}: {why}", workload.name, contestant.name))
        };
        let mut command = Command::new(program().map_err(|error| failed(error.to_string()))?);
        for name in env::vars_os().map(|(name, _)| name).filter(|name| tunes_glibc(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        let output = command
            .envs(contestant.variables.iter().copied())
            .args(["--sample", workload.name, &bytes.to_string(), contestant.name])
            .arg(time.as_micros().to_string())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        let was_killed = output.status.code().is_none();
        if was_killed && contestant.kind == Kind::Peer {
            return Ok(None);
        }
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        serde_json::from_slice(&output.stdout).map(Some).map_err(|error| failed(error.to_string()))
    }

    /// Reads what `take` passed on the command line.
    ///
    /// # Errors
    ///
    /// The arguments are not those that `take` passes.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let parsed = || {
            let [workload, bytes, contestant, micros] = arguments else { return None };
            Some(Self {
                workload: workloads::named(workload)?,
                bytes: bytes.parse().ok()?,
                contestant: contestants::named(contestant)?,
                time: Duration::from_micros(micros.parse().ok()?),
            })
        };
        parsed().ok_or_else(|| Failure::bad_input("--sample is for the program itself"))
    }

    /// Takes the sample in this process.
    pub(crate) fn measure(self) -> Outcome {
        let subject = (self.contestant.prepare)(self.bytes);
        let time = self.time * self.workload.samples_long;
        let mut outcome = (self.workload.run)(subject, self.bytes, time);
        let has_shares = outcome.figures.iter().any(|(name, _)| name.ends_with(POOLED));
        if let Some(percent) = subject.pooled_percent().filter(|_| !has_shares) {
            outcome.figures.push((POOLED.to_owned(), percent));
        }
        outcome
    }
}

/// Returns the path of this program. Linux's own name for it stays right when a build replaces the file.
fn program() -> std::io::Result<PathBuf> {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { Ok(own) } else { env::current_exe() }
}

/// Whether a variable would make a contestant something other than its name says.
fn tunes_glibc(variable: &str) -> bool {
    ["GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_", "MIMALLOC_", "_RJEM_MALLOC_CONF"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}
