//! The texts: statistics, and a table file.

use framepool::inspect::{Error, Process};

use crate::Failure;
use crate::target::{Named, of_each};

/// Returns the statistics of all allocators of a process.
///
/// # Errors
///
/// The process cannot be read.
pub(crate) fn stats(pid: u32) -> Result<String, Failure> {
    Ok(stats_of(&Process::attach(pid)?)?)
}

pub(crate) fn stats_of(process: &Process) -> Result<String, Error> {
    let all = of_each(process, |allocator| allocator.stats())?;
    let texts = all.iter().map(|(allocator, stats)| format!("{}, {allocator}:\n{stats}", Named(process)));
    Ok(texts.collect::<Vec<_>>().join("\n\n"))
}

/// Returns a file with the table that a recording advises, for `FRAMEPOOL=table=FILE`, and the advice as comments.
///
/// # Errors
///
/// The process cannot be read, records nothing, or nothing that it asked for is worth a slot.
pub(crate) fn table(pid: u32) -> Result<String, Failure> {
    table_of(&Process::attach(pid)?)
}

pub(crate) fn table_of(process: &Process) -> Result<String, Failure> {
    let pid = process.pid();
    let all = of_each(process, |allocator| match allocator.advice() {
        Ok(advice) => Ok(Some((allocator.stats()?, advice))),
        Err(Error::NotRecorded(_)) => Ok(None),
        Err(error) => Err(error),
    })?;
    let first =
        all.into_iter().find_map(|(allocator, recorded)| recorded.map(|recorded| (allocator, recorded)));
    let Some((allocator, (stats, advice))) = first else { return Err(Error::NotRecorded(pid).into()) };
    let text = format!("{}, {allocator}:\n{stats}\n{advice}", Named(process));
    let Some(table) = advice.environment() else {
        return Err(format!("no table for process {pid}: nothing that it asked for is worth a slot").into());
    };
    let comments: String = text.lines().map(|line| format!("# {line}\n")).collect();
    Ok(comments + &table)
}
