//! One run of a program: a process, pinned if it has one thread, and what the kernel counted of it.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use framepool_wild::Program;

use crate::contestants::Contestant;

/// The processor of programs of one thread. The neighbour has the next one.
const PROCESSOR: usize = 0;

/// The figures of one run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) cpu_ms: f64,
    pub(crate) faults: u64,
    pub(crate) peak_kib: u64,
    pub(crate) checksum: String,
}

/// The binaries, one for each allocator.
pub(crate) struct Machine {
    folder: PathBuf,
    pub(crate) this: PathBuf,
}

impl Machine {
    /// Finds the binaries beside this one.
    pub(crate) fn here(this: PathBuf) -> Result<Self, String> {
        let folder = this.parent().ok_or("this program has no folder")?.to_owned();
        Ok(Self { folder, this })
    }

    /// Runs a program under a contestant.
    pub(crate) fn run(
        &self,
        program: &Program,
        contestant: &Contestant,
        table: Option<&Path>,
    ) -> Result<Run, String> {
        self.run_with(program, contestant.binary, contestant.environment(table))
    }

    /// Runs a program with a binary and an environment.
    pub(crate) fn run_with(
        &self,
        program: &Program,
        binary: &str,
        environment: Vec<(&'static str, String)>,
    ) -> Result<Run, String> {
        let what = format!("{} under {binary}", program.name);
        let mut command = Command::new(self.folder.join(binary));
        command.arg(program.name).env_remove("FRAMEPOOL").env_remove("GLIBC_TUNABLES").envs(environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if program.threads == 1 {
            pin(&mut command, PROCESSOR);
        }
        let mut child = command.spawn().map_err(|error| format!("{what}: {error}"))?;
        let mut checksum = String::new();
        let stdout = child.stdout.as_mut().ok_or("no pipe")?;
        stdout.read_to_string(&mut checksum).map_err(|error| format!("{what}: {error}"))?;
        let mut status = 0;
        // SAFETY: numbers only, for which zeros are valid.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: a child of this process that nothing has waited for, and room for the answers.
        let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
        if waited < 0 || status != 0 {
            return Err(format!("{what} ended with status {status}"));
        }
        let ms = |time: libc::timeval| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3;
        Ok(Run {
            cpu_ms: ms(usage.ru_utime) + ms(usage.ru_stime),
            faults: usage.ru_minflt as u64,
            peak_kib: usage.ru_maxrss as u64,
            checksum: checksum.trim().to_owned(),
        })
    }
}

/// Pins the process that a command starts to a processor.
pub(crate) fn pin(command: &mut Command, processor: usize) {
    let pin = move || {
        // SAFETY: zeros are an empty set, which is then changed and read in its bounds.
        let failed = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(processor, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) != 0
        };
        if failed { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: between `fork` and `exec` it only makes a system call.
    unsafe { command.pre_exec(pin) };
}
