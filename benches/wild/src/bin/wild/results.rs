//! All figures of a run, and their CSV.

use std::fs;
use std::path::Path;

use framepool_wild::Program;
use serde::{Deserialize, Serialize};

use crate::binaries::Usage;
use crate::contestants::Contestant;
use crate::run_info::RunInfo;
use crate::tables::Tables;

const RUN: &str = "run.json";
const SAMPLES: &str = "samples.csv";
const POOLED: &str = "pooled.csv";

/// One run of a program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) program: String,
    pub(crate) contestant: String,
    pub(crate) condition: String,
    pub(crate) round: usize,
    pub(crate) cpu_ms: f64,
    pub(crate) faults: u64,
    pub(crate) peak_kib: u64,
    checksum: String,
    /// How many frames were timed, and how long they took to be ready; none in most programs.
    pub(crate) frames: Option<u64>,
    pub(crate) ready_p50_us: Option<f64>,
    pub(crate) ready_p99_9_us: Option<f64>,
}

impl Row {
    /// # Errors
    ///
    /// The program printed something else than a checksum and its frames.
    pub(crate) fn new(
        program: &Program,
        contestant: &Contestant,
        condition: &str,
        round: usize,
        usage: &Usage,
    ) -> Result<Self, String> {
        let mut words = usage.output.split_whitespace();
        let unreadable = || format!("{} printed {:?}", program.name, usage.output);
        let checksum = words.next().filter(|word| word.len() == 8).ok_or_else(unreadable)?;
        let mut number =
            || words.next().map(|word| word.parse::<f64>()).transpose().map_err(|_| unreadable());
        Ok(Self {
            program: program.name.to_owned(),
            contestant: contestant.name.to_owned(),
            condition: condition.to_owned(),
            round,
            cpu_ms: usage.cpu_ms,
            faults: usage.faults,
            peak_kib: usage.peak_kib,
            checksum: checksum.to_owned(),
            frames: number()?.map(|frames| frames as u64),
            ready_p50_us: number()?,
            ready_p99_9_us: number()?,
        })
    }
}

/// The share of a program's bytes that the pools serve, in percent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pooled {
    pub(crate) program: String,
    pub(crate) pools: f64,
    pub(crate) advised: f64,
}

/// All figures.
pub(crate) struct Results {
    pub(crate) run: RunInfo,
    pub(crate) rows: Vec<Row>,
    pub(crate) pooled: Vec<Pooled>,
}

impl Results {
    pub(crate) fn new(run: RunInfo, tables: &Tables) -> Self {
        let pooled = tables.shares.iter().map(|(program, shares)| Pooled {
            program: (*program).to_owned(),
            pools: shares["pools"],
            advised: shares["advised"],
        });
        Self { run, rows: Vec::new(), pooled: pooled.collect() }
    }

    /// Adds a run.
    ///
    /// # Errors
    ///
    /// The program made something else in an earlier run.
    pub(crate) fn add(&mut self, row: Row) -> Result<(), String> {
        let earlier = self.rows.iter().find(|earlier| earlier.program == row.program);
        if earlier.is_some_and(|earlier| earlier.checksum != row.checksum) {
            return Err(format!("{} made something else under {}", row.program, row.contestant));
        }
        self.rows.push(row);
        Ok(())
    }

    /// Returns a figure of each round, in the order of the rounds; empty if it was not measured.
    pub(crate) fn series(
        &self,
        program: &str,
        contestant: &str,
        condition: &str,
        figure: impl Fn(&Row) -> Option<f64>,
    ) -> Vec<f64> {
        let is_wanted =
            |row: &&Row| row.program == program && row.contestant == contestant && row.condition == condition;
        let mut rows: Vec<_> = self.rows.iter().filter(is_wanted).collect();
        rows.sort_by_key(|row| row.round);
        rows.into_iter().filter_map(figure).collect()
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<(), String> {
        let run = serde_json::to_string_pretty(&self.run).map_err(|error| error.to_string())? + "\n";
        let path = folder.join(RUN);
        fs::write(&path, run).map_err(|error| format!("{}: {error}", path.display()))?;
        write(&folder.join(SAMPLES), &self.rows)?;
        write(&folder.join(POOLED), &self.pooled)
    }

    pub(crate) fn load(folder: &Path) -> Result<Self, String> {
        let path = folder.join(RUN);
        let run = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let run = serde_json::from_str(&run).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { run, rows: read(&folder.join(SAMPLES))?, pooled: read(&folder.join(POOLED))? })
    }
}

fn write<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(|error| error.to_string())?;
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, String> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| format!("{}: {error}", path.display()))?;
    reader.deserialize().collect::<Result<_, _>>().map_err(|error| format!("{}: {error}", path.display()))
}
