//! Starts a command as a child, and follows it to its end.
//!
//! The child is read again and again, because a process that has ended cannot be read any more. The last picture is
//! printed, however the child ended.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use framepool::inspect::{Error, Process};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::Task;
use crate::{Failure, report, top};

/// The times between two readings of a child: a quarter of its age, within these bounds. So the last picture of a short
/// run is not from its beginning.
const FIRST_INTERVAL: Duration = Duration::from_millis(20);
const INTERVAL: Duration = Duration::from_secs(1);

/// Starts the command of a task and follows it. The exit status is that of the command, 128 and the signal if one ended it.
///
/// # Errors
///
/// The command cannot be started, or its pools were never read.
pub(crate) fn run(task: &Task) -> Result<ExitCode, Failure> {
    if let Task::Top(_) = task {
        top::check_terminal()?;
    }
    let running = Running::start(task)?;
    let mut watched = None;
    if let Task::Top(_) = task {
        let outcome = top::of_process_when_ready(running.pid(), &|| running.tick());
        running.pass_on(SIGTERM);
        watched = Some(outcome?);
    }
    let (status, picture) = match task {
        Task::Advise(_) => running.follow(report::table_of)?,
        Task::Stats(_) | Task::Top(_) => running.follow(|process| Ok(report::stats_of(process)?))?,
    };
    let text = picture.or_else(|error| watched.ok_or(error))?;
    let written = match task {
        Task::Advise(_) => writeln!(io::stdout(), "{text}"),
        Task::Stats(_) | Task::Top(_) => writeln!(io::stderr(), "{text}"),
    };
    written.map_err(|error| format!("cannot write: {error}"))?;
    Ok(exit_code(status))
}

/// A child that runs.
struct Running {
    child: Child,
    signals: Receiver<i32>,
    started: Instant,
}

impl Running {
    fn start(task: &Task) -> Result<Self, Failure> {
        // Before the child is there: no signal is lost.
        let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || signals.forever().all(|signal| sender.send(signal).is_ok()));
        let [program, arguments @ ..] = task.target().command.as_slice() else {
            return Err("no command".into());
        };
        let mut command = Command::new(program);
        command.args(arguments);
        match task {
            Task::Stats(_) => {}
            Task::Advise(_) => {
                command.env("FRAMEPOOL", recording(std::env::var_os("FRAMEPOOL").as_deref()));
                command.stdout(io::stderr().as_fd().try_clone_to_owned()?);
            }
            // The screen is this program's.
            Task::Top(_) => {
                command.stdin(Stdio::null()).stdout(Stdio::null());
                if io::stderr().is_terminal() {
                    command.stderr(Stdio::null());
                }
                // Keys such as Ctrl-C are this program's too.
                command.process_group(0);
            }
        }
        let child =
            command.spawn().map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        Ok(Self { child, signals: receiver, started: Instant::now() })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Passes on the signals that came, without waiting for any.
    fn tick(&self) {
        while let Ok(signal) = self.signals.try_recv() {
            self.handle(signal);
        }
    }

    /// Reads the child until it ends, and returns its status and the last picture.
    fn follow(
        mut self,
        read: impl Fn(&Process) -> Result<String, Failure>,
    ) -> Result<(ExitStatus, Result<String, Failure>), Failure> {
        let mut attached = None;
        let mut picture = Err(Failure::from("the command ended before its pools could be read"));
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, picture));
            }
            // A program that the child executes is another memory.
            if attached.is_none() {
                attached = Process::attach(self.pid()).ok();
            }
            match attached.as_ref().map(&read) {
                Some(Ok(now)) => picture = Ok(now),
                Some(Err(error)) => {
                    attached = None;
                    if picture.is_err() && !is_of_end(&error) {
                        picture = Err(error);
                    }
                }
                None => {}
            }
            self.wait(self.started.elapsed().div_f32(4.0).clamp(FIRST_INTERVAL, INTERVAL));
        }
    }

    /// Waits for a signal, at most this long, and passes it on.
    fn wait(&self, at_most: Duration) {
        match self.signals.recv_timeout(at_most) {
            Ok(signal) => self.handle(signal),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(at_most),
        }
    }

    fn handle(&self, signal: i32) {
        match signal {
            SIGTERM | SIGHUP => self.pass_on(signal),
            // The child has ended; or the terminal has sent it to the child as well.
            _ => {}
        }
    }

    fn pass_on(&self, signal: i32) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
            // The child is not waited for yet, so the number is still its own. It may be a zombie.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Returns the variable `FRAMEPOOL` for a child that records. The statistics that a recording writes at the program's exit go
/// nowhere, unless the user said where.
fn recording(variable: Option<&std::ffi::OsStr>) -> std::ffi::OsString {
    let mut value = std::ffi::OsString::from("record,to=/dev/null");
    if let Some(variable) = variable.filter(|variable| !variable.is_empty()) {
        value.push(",");
        value.push(variable);
    }
    value
}

/// Whether a process could not be read because it has ended meanwhile.
fn is_of_end(error: &Failure) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Error::Ended(_) | Error::Zombie(_) | Error::NoProcess(_) | Error::Gone(_))
    )
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
