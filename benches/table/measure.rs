//! A measuring child, from both sides: the work that it does, and how the parent starts it and reads its
//! output.
//!
//! A figure is the nanoseconds of one block over one sample. A sample is as many rounds of a workload as fill
//! the plan's time. That number is found once for each cell, before the first round of all; finding it is the
//! warm-up.

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common;
use crate::common::contestants::{self, Allocator, CONTESTANTS, layout};
use crate::common::system::SystemState;
use crate::common::workloads::{WORKLOADS, Workload};
use crate::samples::Samples;

/// The length of a measurement.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    rounds: usize,
    /// The minimum time of one sample. The maximum is about twice this, or one round of the workload.
    sample: Duration,
}

/// The full plan: about 20 seconds for each child.
pub(crate) const FULL: Plan = Plan { name: "full", rounds: 15, sample: Duration::from_millis(10) };
/// The quick plan: about 5 seconds for each child.
pub(crate) const QUICK: Plan = Plan { name: "quick", rounds: 9, sample: Duration::from_millis(3) };
/// The smoke plan: each cell once. Its figures mean nothing.
pub(crate) const SMOKE: Plan = Plan { name: "smoke", rounds: 1, sample: Duration::ZERO };

/// The sizes of ascii-chat's performance table, in bytes.
pub(crate) const SIZES: [usize; 2] = [64 << 10, 256 << 10];

/// The flag that makes this program a measuring child.
pub(crate) const CHILD: &str = "--measuring-child";

/// Measures all cells in a process of its own and returns the figures that it printed.
pub(crate) fn in_child(state: SystemState, plan: Plan) -> Result<Samples, String> {
    let failed = |why: &str| format!("the {} child {why}", state.name());
    let program = env::current_exe().map_err(|error| failed(&error.to_string()))?;
    let output = Command::new(program)
        .args([CHILD, state.name(), plan.name])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(&output.status.to_string()));
    }
    Samples::parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| failed("printed nonsense"))
}

/// Measures all cells in this process, round by round, and prints a line for each figure.
pub(crate) fn child(state: SystemState, plan: Plan) {
    state.prepare();
    let cells: Vec<Cell> = WORKLOADS
        .iter()
        .flat_map(|&workload| SIZES.map(|bytes| (workload, bytes)))
        .flat_map(|(workload, bytes)| {
            CONTESTANTS.map(|contestant| Cell::new(contestant, workload, bytes, plan))
        })
        .collect();
    for _ in 0..plan.rounds {
        for cell in &cells {
            println!(
                "{}\t{}\t{}\t{}",
                cell.contestant,
                cell.workload,
                cell.bytes,
                cell.nanoseconds_a_block()
            );
        }
    }
    contestants::assert_that_every_request_was_a_hit();
    if plan.rounds > SMOKE.rounds {
        common::tell_disturbed();
    }
}

/// One workload of one size on one contestant.
struct Cell {
    contestant: &'static str,
    workload: &'static str,
    bytes: usize,
    allocator: &'static Allocator,
    run: Workload,
    /// The rounds of the workload in one sample.
    rounds: u64,
}

impl Cell {
    fn new(
        (contestant, allocator): (&'static str, &'static Allocator),
        (workload, run): (&'static str, Workload),
        bytes: usize,
        plan: Plan,
    ) -> Self {
        let mut cell = Self { contestant, workload, bytes, allocator, run, rounds: 1 };
        loop {
            let start = Instant::now();
            let time = cell.time();
            // The time is in whole nanoseconds, so it must be long enough to make the rounding negligible.
            let min_time = plan.sample / 1000;
            if start.elapsed() >= plan.sample && time >= min_time {
                return cell;
            }
            let short_by = min_time.div_duration_f64(time.max(Duration::from_nanos(1)));
            cell.rounds *= (short_by as u64).max(2);
        }
    }

    /// Runs one sample and returns the time of all its rounds, for one block.
    fn time(&self) -> Duration {
        (self.run)(self.allocator, layout(self.bytes), self.rounds)
    }

    fn nanoseconds_a_block(&self) -> f64 {
        self.time().as_secs_f64() * 1e9 / self.rounds as f64
    }
}
