//! `framepool top`: a process, watched from outside.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;
use std::{fmt, thread};

use crossterm::event::KeyCode;
use framepool::Class;
use framepool::inspect::{Allocator, Error, Process};

use crate::Failure;
use crate::look::{Look, Reading};
use crate::target::Named;
use crate::watch::{Watched, watch};

/// Watches a process until a key ends that, or the process ends.
///
/// # Errors
///
/// Standard input or output is no terminal, or the process cannot be read.
pub(crate) fn of_process(pid: u32) -> Result<ExitCode, Failure> {
    check_terminal()?;
    show(&Process::attach(pid)?, false, &|| {}).map(|_| ExitCode::SUCCESS)
}

/// Watches a process that was started just now, and may have no pools yet. Runs `tick` at each look. Returns the last
/// statistics.
///
/// # Errors
///
/// The process cannot be read, or has ended without pools.
pub(crate) fn of_process_when_ready(pid: u32, tick: &dyn Fn()) -> Result<String, Failure> {
    loop {
        tick();
        let process = Process::attach(pid)?;
        match process.allocators() {
            Err(Error::NoPools(_) | Error::Ended(_)) => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.into()),
            Ok(_) => return show(&process, true, tick),
        }
    }
}

/// # Errors
///
/// Standard input or output is no terminal.
pub(crate) fn check_terminal() -> Result<(), Failure> {
    if io::stdout().is_terminal() && io::stdin().is_terminal() {
        return Ok(());
    }
    Err("top needs a terminal on standard input and output".into())
}

fn show(process: &Process, may_end: bool, tick: &dyn Fn()) -> Result<String, Failure> {
    let allocators = process.allocators()?;
    let mut watched = Foreign { process, allocators, shown: 0, last: String::new(), tick };
    // `init` also installs a panic hook that restores the terminal.
    let mut terminal = ratatui::init();
    let outcome = watch(&mut terminal, &mut watched);
    ratatui::restore();
    match outcome {
        Err(Unwatched::Process(Error::Ended(_) | Error::Zombie(_))) if may_end => Ok(watched.last),
        outcome => Ok(outcome.map(|()| watched.last)?),
    }
}

/// The allocators of a process, of which one is shown.
struct Foreign<'a> {
    process: &'a Process,
    allocators: Vec<Allocator<'a>>,
    shown: usize,
    /// The last statistics, as text.
    last: String,
    tick: &'a dyn Fn(),
}

impl Foreign<'_> {
    fn shown(&self) -> &Allocator<'_> {
        &self.allocators[self.shown]
    }

    fn read_shown(&self, wants_residency: bool) -> Result<Reading, Error> {
        let allocator = self.shown();
        let mut slots = [const { Vec::new() }; 4];
        for class in Class::ALL {
            slots[class as usize] = allocator.slot_states(class)?;
        }
        let residency = if wants_residency { Some(allocator.residency()?) } else { None };
        Ok(Reading { stats: allocator.stats()?, slots, residency, is_on: None })
    }
}

impl Watched for Foreign<'_> {
    type Error = Unwatched;
    const KEYS: &'static str = "n next allocator";

    fn read(&mut self, wants_residency: bool) -> Result<Reading, Unwatched> {
        (self.tick)();
        let mut reading = self.read_shown(wants_residency);
        if let Err(Error::Gone(_)) = reading {
            // A `BufferPool` was dropped: the first of those that are left is shown.
            self.allocators = self.process.allocators()?;
            self.shown = 0;
            reading = self.read_shown(true);
        }
        let reading = reading?;
        self.last = format!("{}, {}:\n{}", Named(self.process), self.shown(), reading.stats);
        Ok(reading)
    }

    fn describe(&self) -> String {
        let (number, all) = (self.shown + 1, self.allocators.len());
        format!("{}, {} ({number} of {all})", Named(self.process), self.shown())
    }

    fn press(&mut self, key: KeyCode, look: &mut Look) {
        if key != KeyCode::Char('n') {
            return;
        }
        match self.process.allocators() {
            Ok(allocators) => {
                self.shown = (self.shown + 1) % allocators.len();
                self.allocators = allocators;
                if let Ok(reading) = self.read_shown(true) {
                    *look = Look::new(reading);
                }
            }
            Err(error) => look.say(error.to_string()),
        }
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// The reason why nothing is watched any more.
#[derive(Debug)]
enum Unwatched {
    Process(Error),
    Terminal(io::Error),
}

impl fmt::Display for Unwatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(error) => error.fmt(f),
            Self::Terminal(error) => write!(f, "the terminal is gone: {error}"),
        }
    }
}

impl std::error::Error for Unwatched {}

impl From<Error> for Unwatched {
    fn from(error: Error) -> Self {
        Self::Process(error)
    }
}

impl From<io::Error> for Unwatched {
    fn from(error: io::Error) -> Self {
        Self::Terminal(error)
    }
}
