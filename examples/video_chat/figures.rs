//! The figures of one run, as they travel from the child to the parent, and the list of those that are
//! printed.

use serde::{Deserialize, Serialize};

use crate::meter::Unserved;

/// The figures of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) captured: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) damaged: u64,
    pub(crate) grids: u64,
    pub(crate) audio_mixes: u64,
    pub(crate) seconds: f64,
    /// The times until a frame's buffer is ready: p50, p99, p99.9 and the maximum, in microseconds.
    pub(crate) ready_us: [f64; 4],
    /// The calls of the four methods of the allocator.
    pub(crate) requests: u64,
    /// The time inside them, with the clock's own time subtracted.
    pub(crate) request_seconds: f64,
    /// The time that was subtracted for each call.
    pub(crate) empty_request_ns: f64,
    pub(crate) faults_first_second: u64,
    /// The page faults per second after the first second. `None` if less than half a second was left.
    pub(crate) faults_steady: Option<f64>,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_resident_bytes: u64,
    pub(crate) unserved: Unserved,
    pub(crate) pools: PoolFigures,
    /// Client, frame and checksum of each packet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) packets: Vec<(u32, u32, u32)>,
}

/// The pools' own figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PoolFigures {
    /// The address space that the pools reserved. 0 if they were never used.
    pub(crate) reserved_bytes: u64,
    /// The misses since the process began, not only in the run.
    pub(crate) misses: u64,
    /// The result of prewarming, if the user asked for it.
    pub(crate) residency: Option<String>,
    /// The table as the allocator prints it.
    pub(crate) table: String,
    pub(crate) classes: Vec<ClassFigures>,
    /// The requests that went past the pools, by reason.
    pub(crate) bypasses: Vec<(String, u64)>,
    /// The advice of a recording.
    pub(crate) advice: Option<AdviceFigures>,
}

/// The table that would have served a recorded run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AdviceFigures {
    pub(crate) text: String,
    /// The table in the syntax of the variable `FRAMEPOOL`.
    pub(crate) table: Option<String>,
}

/// The figures of one class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClassFigures {
    pub(crate) name: String,
    pub(crate) slot_bytes: u64,
    pub(crate) slots: u64,
    pub(crate) peak: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

/// One line of the report.
pub(crate) struct Metric {
    /// The name for machines, and the name and unit for people.
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    /// Whether runs are compared by this metric, and which direction is better.
    pub(crate) better: Better,
    /// Computes the value of a run at the given frames a second.
    pub(crate) value: fn(&Figures, u32) -> Option<f64>,
}

/// The direction in which a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
    /// The metric describes the work that was done, not its quality.
    Neither,
}

const fn metric(
    key: &'static str,
    label: &'static str,
    better: Better,
    value: fn(&Figures, u32) -> Option<f64>,
) -> Metric {
    Metric { key, label, better, value }
}

pub(crate) const MIB: f64 = 1_048_576.0;

const US_PER_FRAME: Metric =
    metric("us_per_frame", "allocator, us a frame", Better::Lower, |run, _| us_per_frame(run));

/// All metrics that are printed side by side, in groups.
pub(crate) const GROUPS: &[(&str, &[Metric])] = &[
    (
        "Frames",
        &[
            metric("delivered", "delivered", Better::Neither, |run, _| Some(run.delivered as f64)),
            metric("dropped", "dropped", Better::Lower, |run, _| Some(run.dropped as f64)),
            metric("frames_per_second", "delivered a second", Better::Higher, |run, _| {
                Some(tenths(run.delivered as f64 / run.seconds))
            }),
        ],
    ),
    (
        "Time until a captured frame's buffer is ready (allocated and first written), us",
        &[
            metric("ready_p50_us", "ready, p50", Better::Lower, |run, _| Some(run.ready_us[0])),
            metric("ready_p99_us", "ready, p99", Better::Lower, |run, _| Some(run.ready_us[1])),
            metric("ready_p999_us", "ready, p99.9", Better::Lower, |run, _| Some(run.ready_us[2])),
            metric("ready_max_us", "ready, max", Better::Lower, |run, _| Some(run.ready_us[3])),
        ],
    ),
    (
        "Inside the allocator, all threads together",
        &[
            metric("calls_per_frame", "calls a frame", Better::Neither, |run, _| {
                per_frame(run, run.requests as f64)
            }),
            US_PER_FRAME,
        ],
    ),
    (
        "The process: page faults, processor, memory",
        &[
            metric("faults_first_second", "faults, first second", Better::Lower, |run, _| {
                Some(run.faults_first_second as f64)
            }),
            metric("faults_steady", "faults/s, later", Better::Lower, |run, _| run.faults_steady.map(tenths)),
            metric("cpu_seconds", "CPU seconds", Better::Lower, |run, _| Some(run.cpu_seconds)),
            metric("peak_resident_mib", "peak resident, MiB", Better::Lower, |run, _| {
                Some(run.peak_resident_bytes as f64 / MIB)
            }),
            metric("reserved_mib", "reserved, MiB", Better::Neither, |run, _| {
                Some(run.pools.reserved_bytes as f64 / MIB)
            }),
        ],
    ),
];

/// Returns the metrics of all groups.
pub(crate) fn metrics() -> impl Iterator<Item = &'static Metric> {
    GROUPS.iter().flat_map(|(_, metrics)| *metrics)
}

/// The allocator's time in the units of ascii-chat's claim, with the claimed values for pools off and on.
/// The budget is the time of one frame at the frame rate.
pub(crate) const CLAIMS: [(Metric, [f64; 2]); 3] = [
    (US_PER_FRAME, [10.5, 0.35]),
    (
        metric("budget_percent", "allocator, % of budget", Better::Lower, |run, fps| {
            us_per_frame(run).map(|us| us * f64::from(fps) / 1e4)
        }),
        [0.03, 0.001],
    ),
    (
        metric("ms_per_second", "allocator, ms a second", Better::Lower, |run, _| {
            Some(run.request_seconds * 1e3 / run.seconds)
        }),
        [2.84, 0.09],
    ),
];

/// Rounds a rate to one decimal, so that runs which differ only in the clock's last digits are equal.
fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

fn per_frame(run: &Figures, value: f64) -> Option<f64> {
    (run.captured > 0).then(|| value / run.captured as f64)
}

fn us_per_frame(run: &Figures) -> Option<f64> {
    per_frame(run, run.request_seconds * 1e6)
}
