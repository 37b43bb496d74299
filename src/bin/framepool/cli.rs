//! The arguments.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

/// Looks into running programs that use framepool, which need not do anything for it.
#[derive(Parser)]
#[command(name = "framepool", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Print the statistics: of a process now, or of a command when it ends (on standard error then)
    #[command(override_usage = "framepool stats --pid <PID>\n       framepool stats -- <COMMAND>...")]
    Stats(Target),
    /// Print a table that fits, for FRAMEPOOL=table=FILE: of a process that records, or of a command, which is made to record
    /// (its standard output goes to standard error)
    #[command(override_usage = "framepool advise --pid <PID>\n       framepool advise -- <COMMAND>...")]
    Advise(Target),
    /// Show each slot live
    #[command(override_usage = "framepool top --pid <PID>\n       framepool top -- <COMMAND>...")]
    Top(Target),
}

impl Task {
    pub(crate) fn target(&self) -> &Target {
        let (Task::Stats(target) | Task::Advise(target) | Task::Top(target)) = self;
        target
    }
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// The process to look into
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// A command to start and to look into until it ends; SIGTERM and SIGHUP are passed on to it
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
