//! The advised table of each program, found as a user finds it: a recorded run writes it to a file. And the share of
//! bytes that the pools serve with it and without.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use framepool_wild::Program;

use crate::binaries::Binaries;
use crate::contestants::{CONTESTANTS, Contestant};

/// The share of a program's bytes that each contestant with pools serves, in percent.
pub(crate) type Shares = BTreeMap<&'static str, f64>;

/// The advised tables of all programs.
#[derive(Default)]
pub(crate) struct Tables {
    /// By program and contestant.
    files: BTreeMap<(&'static str, &'static str), PathBuf>,
    /// By program.
    pub(crate) shares: BTreeMap<&'static str, Shares>,
}

impl Tables {
    /// Records each program under each advised contestant once, and runs it with the table.
    ///
    /// # Errors
    ///
    /// A run fails, advises no table, or serves nothing from the pools: such figures would be those of another contestant.
    pub(crate) fn find(binaries: &Binaries, programs: &[&Program], folder: &Path) -> Result<Self, String> {
        let folder = folder.canonicalize().map_err(|error| error.to_string())?;
        let mut tables = Self::default();
        for program in programs {
            for contestant in CONTESTANTS.iter().filter(|contestant| contestant.binary == "pools") {
                if contestant.is_advised {
                    let file = record(binaries, program, contestant, &folder)?;
                    tables.files.insert((program.name, contestant.name), file);
                }
                let share = share(binaries, program, contestant, tables.of(program, contestant), &folder)?;
                tables.shares.entry(program.name).or_default().insert(contestant.name, share);
            }
        }
        Ok(tables)
    }

    /// Returns the file of a contestant's table; `None` if it has none of its own.
    pub(crate) fn of(&self, program: &Program, contestant: &Contestant) -> Option<&Path> {
        self.files.get(&(program.name, contestant.name)).map(PathBuf::as_path)
    }
}

fn record(
    binaries: &Binaries,
    program: &Program,
    contestant: &Contestant,
    folder: &Path,
) -> Result<PathBuf, String> {
    let file = folder.join(format!("{}_{}.table", program.name, contestant.name));
    let words = vec!["record".to_owned(), format!("to={}", file.display())];
    binaries.run(program, contestant.binary, contestant.environment_with(words))?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let has_table = text.lines().any(|line| !line.starts_with('#'));
    has_table.then_some(file).ok_or_else(|| format!("{}: no table was advised: {text}", program.name))
}

fn share(
    binaries: &Binaries,
    program: &Program,
    contestant: &Contestant,
    table: Option<&Path>,
    folder: &Path,
) -> Result<f64, String> {
    let file = folder.join("stats.txt");
    let table = table.map(|table| format!("table={}", table.display()));
    let words = table.into_iter().chain([format!("to={}", file.display())]).collect();
    binaries.run(program, contestant.binary, contestant.environment_with(words))?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let _ = fs::remove_file(&file);
    let line = text.lines().find_map(|line| line.strip_prefix("Pooled: "));
    let share = line.and_then(|line| line.split_once('%')).and_then(|(percent, _)| percent.parse().ok());
    let share = share.filter(|percent| *percent > 0.0);
    share.ok_or_else(|| format!("{} under {}: nothing pooled in {text}", program.name, contestant.name))
}
