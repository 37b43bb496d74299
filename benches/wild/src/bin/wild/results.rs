//! All figures of a run, and their CSV.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use framepool_wild::Program;
use serde::{Deserialize, Serialize};

use crate::binaries::Usage;
use crate::contestants::Contestant;
use crate::run_info::RunInfo;
use crate::tables::Tables;

const RUN: &str = "run.json";
const AGAIN: &str = "again.json";
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
    /// The number of frames that were timed, and how long they took to be ready; none in most programs.
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
    /// Programs that were measured in another run, and that run.
    pub(crate) again: BTreeMap<String, RunInfo>,
    pub(crate) rows: Vec<Row>,
    pub(crate) pooled: Vec<Pooled>,
}

impl Results {
    pub(crate) fn new(run: RunInfo) -> Self {
        Self { run, again: BTreeMap::new(), rows: Vec::new(), pooled: Vec::new() }
    }

    /// Begins to measure a program: forgets what an earlier run had of it.
    pub(crate) fn begin(&mut self, program: &Program, tables: &Tables, run: &RunInfo) {
        self.rows.retain(|row| row.program != program.name);
        self.pooled.retain(|pooled| pooled.program != program.name);
        let shares = &tables.shares[program.name];
        let name = program.name.to_owned();
        self.pooled.push(Pooled {
            program: name.clone(),
            pools: shares["pools"],
            advised: shares["advised"],
        });
        if self.run != *run {
            self.again.insert(name, run.clone());
        }
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
        write_json(&folder.join(RUN), &self.run)?;
        write_json(&folder.join(AGAIN), &self.again)?;
        write(&folder.join(SAMPLES), &self.rows)?;
        write(&folder.join(POOLED), &self.pooled)
    }

    pub(crate) fn load(folder: &Path) -> Result<Self, String> {
        let (run, again) = (read_json(&folder.join(RUN))?, read_json(&folder.join(AGAIN))?);
        Ok(Self { run, again, rows: read(&folder.join(SAMPLES))?, pooled: read(&folder.join(POOLED))? })
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())? + "\n";
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
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
