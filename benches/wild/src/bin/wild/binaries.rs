//! One run of a program: a process, pinned if it has one thread, and what the kernel counted of it.

use std::env;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use framepool_wild::Program;

/// The processor of programs of one thread. The neighbour has the next one.
const PROCESSOR: usize = 0;

/// The figures of one run.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu_ms: f64,
    pub(crate) faults: u64,
    pub(crate) peak_kib: u64,
    /// The program's output: its checksum, and how long its frames took to be ready.
    pub(crate) output: String,
}

/// The binaries, one for each allocator.
pub(crate) struct Binaries {
    folder: PathBuf,
    pub(crate) this: PathBuf,
}

impl Binaries {
    /// Finds the binaries beside this one.
    pub(crate) fn beside_this() -> Result<Self, String> {
        let this = env::current_exe().map_err(|error| error.to_string())?;
        let folder = this.parent().ok_or("this program has no folder")?.to_owned();
        Ok(Self { folder, this })
    }

    /// Runs a program with a binary and no other environment than the given one.
    ///
    /// # Errors
    ///
    /// The program ends with another status than 0, or prints anything to standard error: a run whose allocator was not
    /// as it was asked to be has no figures.
    pub(crate) fn run(
        &self,
        program: &Program,
        binary: &str,
        environment: Vec<(&'static str, String)>,
    ) -> Result<Usage, String> {
        let what = format!("{} under {binary} with {environment:?}", program.name);
        let failed = |error: std::io::Error| format!("{what}: {error}");
        let mut command = Command::new(self.folder.join(binary));
        command.arg(program.name).env_clear().envs(environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if program.threads == 1 {
            pin(&mut command, PROCESSOR);
        }
        let mut child = command.spawn().map_err(failed)?;
        let (mut output, mut complaints) = (String::new(), String::new());
        // Neither is longer than a pipe holds, unless something is wrong.
        child.stdout.take().ok_or("no pipe")?.read_to_string(&mut output).map_err(failed)?;
        child.stderr.take().ok_or("no pipe")?.read_to_string(&mut complaints).map_err(failed)?;
        let mut status = 0;
        // SAFETY: numbers only, for which zeros are valid.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: a child of this process that nothing has waited for, and room for the answers.
        let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
        if waited < 0 {
            return Err(failed(std::io::Error::last_os_error()));
        }
        let status = ExitStatus::from_raw(status);
        if !status.success() || !complaints.is_empty() {
            return Err(format!("{what} ended with {status} and said {complaints:?}"));
        }
        let ms = |time: libc::timeval| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3;
        Ok(Usage {
            cpu_ms: ms(usage.ru_utime) + ms(usage.ru_stime),
            faults: usage.ru_minflt as u64,
            peak_kib: usage.ru_maxrss as u64,
            output: output.trim().to_owned(),
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
