//! The README's performance table and the verdicts, from one command:
//! `cargo bench --bench table [-- --quick]`.
//!
//! The program runs the suite's workloads in two child processes of itself, one for each state of glibc,
//! because a process can only be in one. A child visits all contestants once a round, so outside load on the
//! machine affects all alike. It prints its figures, and the parent sorts them.

#[path = "../baselines/mod.rs"]
mod baselines;
#[path = "../common/mod.rs"]
mod common;
mod measure;
mod report;
mod samples;

use std::env;
use std::process::ExitCode;

use common::system::SystemState;
use measure::Plan;

/// The task that the command line selects.
enum Task {
    /// Measure in this process and print bare figures, for the parent process.
    Child(SystemState, Plan),
    /// Measure in two children and print the report.
    Report(Plan),
    /// Do the work of `Report` in a fraction of a second and discard the report. Under `cargo test`, this
    /// checks that it works.
    Smoke,
    /// Do nothing, because a filter names benchmarks of another target: `cargo bench burst16` runs this
    /// target too.
    Nothing,
}

fn main() -> ExitCode {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|argument| argument.to_string_lossy().into()).collect();
    let outcome = match task(&arguments) {
        Ok(Task::Child(state, plan)) => {
            measure::child(state, plan);
            Ok(())
        }
        Ok(Task::Report(plan)) => both_states(plan).map(|report| print!("{report}")),
        Ok(Task::Smoke) => both_states(measure::SMOKE).map(drop),
        Ok(Task::Nothing) => Ok(()),
        Err(message) => Err(message),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("table: {message}");
            ExitCode::from(2)
        }
    }
}

/// Reads the arguments. Cargo adds `--bench` under `cargo bench`, and nothing under `cargo test`. Flags of
/// `cargo test` are for the test harness, and are ignored.
fn task(arguments: &[String]) -> Result<Task, String> {
    if let [flag, state, plan] = arguments
        && flag == measure::CHILD
    {
        let state = SystemState::named(state);
        let plan =
            [measure::FULL, measure::QUICK, measure::SMOKE].into_iter().find(|known| known.name == plan);
        return state.zip(plan).map(|(state, plan)| Task::Child(state, plan)).ok_or("unknown child".into());
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if !has("--bench") || has("--test") {
        return Ok(Task::Smoke);
    }
    let mut plan = measure::FULL;
    for argument in arguments {
        match argument.as_str() {
            "--bench" => {}
            "--quick" => plan = measure::QUICK,
            filter if !filter.starts_with('-') => return Ok(Task::Nothing),
            flag => return Err(format!("unknown flag {flag}: the only one is --quick")),
        }
    }
    Ok(Task::Report(plan))
}

fn both_states(plan: Plan) -> Result<String, String> {
    let pinned = measure::in_child(SystemState::Pinned, plan)?;
    let adapted = measure::in_child(SystemState::Adapted, plan)?;
    Ok(report::render(&pinned, &adapted))
}
