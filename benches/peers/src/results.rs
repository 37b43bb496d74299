//! The figures of a run: saved as CSV, read back, and looked up. Everything that is printed or drawn comes
//! from here.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::quartiles::Quartiles;
use crate::run_info::RunInfo;

/// One figure of one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) round: u32,
    pub(crate) workload: String,
    pub(crate) bytes: usize,
    pub(crate) contestant: String,
    /// The name of the figure, which ends in the unit.
    pub(crate) figure: String,
    pub(crate) value: f64,
}

/// One point of a latency curve, of all rounds together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub(crate) workload: String,
    pub(crate) bytes: usize,
    pub(crate) contestant: String,
    pub(crate) percentile: f64,
    pub(crate) ns: f64,
}

/// The key that identifies a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a> {
    pub(crate) workload: &'a str,
    pub(crate) bytes: usize,
    pub(crate) contestant: &'a str,
    pub(crate) figure: &'a str,
}

/// The complete results of a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Results {
    pub(crate) run: RunInfo,
    pub(crate) rows: Vec<Row>,
    pub(crate) curves: Vec<Curve>,
}

const RUN: &str = "run.json";
const SAMPLES: &str = "samples.csv";
const PERCENTILES: &str = "percentiles.csv";

impl Results {
    /// Writes three files into a directory, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// The directory or a file could not be written. The error names it.
    pub(crate) fn save(&self, directory: &Path) -> Result<(), Failure> {
        fs::create_dir_all(directory).map_err(|error| Failure::file(directory, error))?;
        let run = serde_json::to_string_pretty(&self.run).expect("plain data") + "\n";
        let path = directory.join(RUN);
        fs::write(&path, run).map_err(|error| Failure::file(&path, error))?;
        write_csv(&directory.join(SAMPLES), &self.rows)?;
        write_csv(&directory.join(PERCENTILES), &self.curves)
    }

    /// Reads the three files back.
    ///
    /// # Errors
    ///
    /// A file is missing or is not valid. The error names it.
    pub(crate) fn load(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join(RUN);
        let run = fs::read_to_string(&path).map_err(|error| Failure::file(&path, error))?;
        Ok(Self {
            run: serde_json::from_str(&run).map_err(|error| Failure::file(&path, error))?,
            rows: read_csv(&directory.join(SAMPLES))?,
            curves: read_csv(&directory.join(PERCENTILES))?,
        })
    }
}

fn write_csv(path: &Path, records: &[impl Serialize]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_path(path).map_err(|error| Failure::file(path, error))?;
    for record in records {
        writer.serialize(record).map_err(|error| Failure::file(path, error))?;
    }
    writer.flush().map_err(|error| Failure::file(path, error))
}

fn read_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| Failure::file(path, error))?;
    reader.deserialize().collect::<Result<_, _>>().map_err(|error| Failure::file(path, error))
}

/// The rows, indexed: each figure's value by round.
pub(crate) struct Figures<'a>(HashMap<Key<'a>, BTreeMap<u32, f64>>);

impl<'a> Figures<'a> {
    pub(crate) fn of(rows: &'a [Row]) -> Self {
        let mut figures: HashMap<_, BTreeMap<u32, f64>> = HashMap::new();
        for row in rows {
            let key = Key {
                workload: &row.workload,
                bytes: row.bytes,
                contestant: &row.contestant,
                figure: &row.figure,
            };
            figures.entry(key).or_default().insert(row.round, row.value);
        }
        Self(figures)
    }

    /// Returns the quartiles of one figure over all rounds.
    pub(crate) fn quartiles(&self, key: Key<'_>) -> Option<Quartiles> {
        Quartiles::of(self.0.get(&key)?.values().copied().collect())
    }

    /// Combines two figures of the same round, and returns the quartiles over all rounds that have both.
    pub(crate) fn compare(
        &self,
        one: Key<'_>,
        other: Key<'_>,
        together: impl Fn(f64, f64) -> f64,
    ) -> Option<Quartiles> {
        Quartiles::of(self.by_round(one, other, together)?.into_values().collect())
    }

    /// Combines two figures of the same round, and returns the result for each round that has both.
    pub(crate) fn by_round(
        &self,
        one: Key<'_>,
        other: Key<'_>,
        together: impl Fn(f64, f64) -> f64,
    ) -> Option<BTreeMap<u32, f64>> {
        let (one, other) = (self.0.get(&one)?, self.0.get(&other)?);
        let both =
            one.iter().filter_map(|(round, value)| Some((*round, together(*value, *other.get(round)?))));
        Some(both.collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::env;

    pub(crate) fn row(round: u32, workload: &str, bytes: usize, contestant: &str, value: f64) -> Row {
        let [workload, contestant] = [workload, contestant].map(str::to_owned);
        Row { round, workload, bytes, contestant, figure: "ns".to_owned(), value }
    }

    pub(crate) fn results(rows: Vec<Row>) -> Results {
        let curve = Curve {
            workload: "frame_ready".to_owned(),
            bytes: 64,
            contestant: "a, \"b\"".to_owned(),
            percentile: 99.9,
            ns: 0.1 + 0.2,
        };
        Results { run: RunInfo::here("a command".to_owned(), 9), rows, curves: vec![curve] }
    }

    #[test]
    fn what_was_saved_is_read_back() {
        let saved = results(vec![row(1, "pairs", 64, "glibc", 1.0 / 3.0), row(2, "pairs", 64, "ring", 1e9)]);
        let directory = env::temp_dir().join(format!("framepool-peers-{}", std::process::id()));
        saved.save(&directory).expect("a writable directory");
        let loaded = Results::load(&directory).expect("what was just saved");
        fs::remove_dir_all(&directory).expect("what was just made");
        assert_eq!(loaded, saved);
        assert!(Results::load(&directory).is_err());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine got ten times slower in the second round, but the ratio stayed the same. The third
        // round has no partner.
        let rows = [
            row(1, "pairs", 64, "glibc", 20.0),
            row(2, "pairs", 64, "glibc", 200.0),
            row(3, "pairs", 64, "glibc", 1.0),
            row(2, "pairs", 64, "ring", 100.0),
            row(1, "pairs", 64, "ring", 10.0),
        ];
        let key = |contestant| Key { workload: "pairs", bytes: 64, contestant, figure: "ns" };
        let figures = Figures::of(&rows);
        let ratio = figures.compare(key("glibc"), key("ring"), |one, other| one / other);
        assert_eq!(ratio, Some(Quartiles { median: 2.0, lower: 2.0, upper: 2.0 }));
        assert_eq!(figures.quartiles(key("glibc")).map(|quartiles| quartiles.median), Some(20.0));
        assert_eq!(figures.compare(key("glibc"), key("absent"), f64::max), None);
    }
}
