//! The outcome of one sample: a child process prints it as one line of JSON, and its parent reads it.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The share of requests that a slot served, in percent: a figure of contestants that have pools.
pub(crate) const POOLED: &str = "pooled_percent";

/// The number of runs in which threads did not have a processor each, on every try. The figures of such runs
/// say little.
pub(crate) const DISTURBED: &str = "disturbed_runs";

/// The number of times that a sample was taken again because its process had crashed.
pub(crate) const CRASHES: &str = "crashes";

/// The figures that are printed below a table, not in it.
pub(crate) const NOTES: [&str; 3] = [POOLED, DISTURBED, CRASHES];

/// Figures by name, which ends in the unit, and a count for each latency if the workload measures latencies.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) figures: Vec<(String, f64)>,
    pub(crate) latencies: Vec<(u64, u64)>,
}

/// Returns the name of a figure that belongs to another contestant than the sample's.
pub(crate) fn named_for(contestant: &str, figure: &str) -> String {
    format!("{contestant}/{figure}")
}

/// Returns the contestant that a figure is named for, if it is, and the figure's own name.
pub(crate) fn owner_and_name(figure: &str) -> (Option<&str>, &str) {
    figure.split_once('/').map_or((None, figure), |(contestant, name)| (Some(contestant), name))
}

impl Outcome {
    /// An outcome of one figure.
    pub(crate) fn of(name: &str, value: f64) -> Self {
        Self::of_many([(name, value)])
    }

    /// An outcome of several figures.
    pub(crate) fn of_many<N: Into<String>>(figures: impl IntoIterator<Item = (N, f64)>) -> Self {
        let figures = figures.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self { figures, latencies: Vec::new() }
    }

    /// Adds all latencies of a histogram.
    pub(crate) fn with_latencies(mut self, latencies: &Histogram<u64>) -> Self {
        self.latencies = latencies
            .iter_recorded()
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_since_last_iteration()))
            .collect();
        self
    }
}
