//! All figures of a run, and their CSV.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use framepool_wild::Program;
use serde::{Deserialize, Serialize};

use crate::contestants::Contestant;
use crate::machine;
use crate::measure::Run;
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
}

impl Row {
    pub(crate) fn new(
        program: &Program,
        contestant: &Contestant,
        condition: &str,
        round: usize,
        run: Run,
    ) -> Self {
        Self {
            program: program.name.to_owned(),
            contestant: contestant.name.to_owned(),
            condition: condition.to_owned(),
            round,
            cpu_ms: run.cpu_ms,
            faults: run.faults,
            peak_kib: run.peak_kib,
            checksum: run.checksum,
        }
    }
}

/// The share of a program's bytes that the pools serve, in percent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pooled {
    pub(crate) program: String,
    pub(crate) default: f64,
    pub(crate) advised: f64,
}

/// All figures.
pub(crate) struct Results {
    pub(crate) run: machine::Run,
    pub(crate) rows: Vec<Row>,
    pub(crate) pooled: Vec<Pooled>,
    checksums: BTreeMap<String, String>,
}

impl Results {
    pub(crate) fn new(run: machine::Run, tables: &Tables) -> Self {
        let pooled = tables.0.iter().map(|(program, found)| Pooled {
            program: (*program).to_owned(),
            default: found.pooled,
            advised: found.pooled_advised,
        });
        Self { run, rows: Vec::new(), pooled: pooled.collect(), checksums: BTreeMap::new() }
    }

    /// Adds a run. An error if its program made something else under another allocator.
    pub(crate) fn add(&mut self, row: Row) -> Result<(), String> {
        let first = self.checksums.entry(row.program.clone()).or_insert_with(|| row.checksum.clone());
        if *first != row.checksum {
            return Err(format!("{} made something else under {}", row.program, row.contestant));
        }
        self.rows.push(row);
        Ok(())
    }

    /// Returns a figure of each round, in the order of the rounds.
    pub(crate) fn series(
        &self,
        program: &str,
        contestant: &str,
        condition: &str,
        figure: impl Fn(&Row) -> f64,
    ) -> Vec<f64> {
        let is_wanted =
            |row: &&Row| row.program == program && row.contestant == contestant && row.condition == condition;
        let mut rows: Vec<_> = self.rows.iter().filter(is_wanted).collect();
        rows.sort_by_key(|row| row.round);
        rows.into_iter().map(figure).collect()
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
        let (rows, pooled) = (read(&folder.join(SAMPLES))?, read(&folder.join(POOLED))?);
        Ok(Self { run, rows, pooled, checksums: BTreeMap::new() })
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
