//! The advised table of each program, found as a user finds it: a recorded run writes it to a file. And the share of
//! bytes that the pools serve with it and without.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use framepool_wild::Program;

use crate::measure::Machine;

/// The table of one program, and what it serves.
pub(crate) struct Found {
    /// The file of the advised table; `None` if nothing is worth one.
    table: Option<PathBuf>,
    /// Percent of the bytes that the pools serve with the default table.
    pub(crate) pooled: f64,
    /// Percent with the advised table.
    pub(crate) pooled_advised: f64,
}

pub(crate) struct Tables(pub(crate) BTreeMap<&'static str, Found>);

impl Tables {
    /// Returns the file of a program's advised table.
    pub(crate) fn of(&self, program: &Program) -> Option<&Path> {
        self.0.get(program.name)?.table.as_deref()
    }
}

/// Records each program once, and runs it with the table.
pub(crate) fn find(machine: &Machine, programs: &[&Program], folder: &Path) -> Result<Tables, String> {
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    let found = programs.iter().map(|program| {
        let file = folder.join(format!("{}.table", program.name));
        let run = |value: String| machine.run_with(program, "pools", vec![("FRAMEPOOL", value)]);
        run(format!("record,to={}", file.display()))?;
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let table = text.lines().any(|line| !line.starts_with('#')).then(|| file.clone());
        let stats = folder.join(format!("{}.stats", program.name));
        let pooled = |words: String| {
            run(format!("{words}to={}", stats.display()))?;
            let text = fs::read_to_string(&stats).map_err(|error| error.to_string())?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pooled: "));
            let percent =
                line.and_then(|line| line.split_once('%')).and_then(|(percent, _)| percent.parse().ok());
            percent.ok_or(format!("{}: no share of bytes in {text}", program.name))
        };
        let default: f64 = pooled(String::new())?;
        let advised =
            table.as_ref().map(|table| pooled(format!("table={},", table.display()))).transpose()?;
        let found = Found { table, pooled: default, pooled_advised: advised.unwrap_or(default) };
        Ok((program.name, found))
    });
    found.collect::<Result<_, String>>().map(Tables)
}
