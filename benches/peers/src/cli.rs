//! The flags, and what they select. An error of clap becomes a message of one line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, value_parser};

use crate::contestants::{self, Contestant};
use crate::failure::Failure;
use crate::workloads::{self, Workload};

/// The minimum of rounds for publishing. The middle half of fewer rounds says little.
const MIN_ROUNDS: u32 = 9;

/// Measures framepool beside other allocators; writes CSV, plots and tables.
///
/// A full run publishes: it writes benches/results/ and the tables in benches/README.md. A run with --quick,
/// --only, --peers or fewer than 9 rounds writes to target/peers/. Both print their tables.
#[derive(Clone, Debug, Parser)]
#[command(name = "framepool-peers", bin_name = "framepool-peers", max_term_width = 100)]
pub(crate) struct Cli {
    /// Short samples and 5 rounds: enough for a look
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these workloads; may be repeated
    #[arg(long, value_name = "WORKLOAD", value_parser = workload)]
    only: Vec<&'static Workload>,
    /// Only these contestants beside framepool, as in mimalloc,glibc
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = contestant)]
    peers: Vec<&'static Contestant>,
    /// Rounds, each with one sample of everything [default: 15]
    #[arg(long, value_parser = value_parser!(u32).range(1..=999))]
    rounds: Option<u32>,
    /// Measure nothing: draw the plots and tables again from the kept CSV
    #[arg(long, conflicts_with_all = ["quick", "only", "peers", "rounds"])]
    pub(crate) render: bool,
    /// Where CSV and plots are, instead of benches/results or target/peers
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,
    /// Internal: the program starts itself with workload, bytes, contestant, microseconds
    #[arg(long, hide = true, num_args = 4)]
    pub(crate) sample: Option<Vec<String>>,
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// A flag is unknown or out of its range. A request for help is answered and ends the process.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => error.exit(),
            _ => Failure::bad_flag(&error),
        })
    }

    /// Whether all workloads and contestants are measured, and often enough for published figures.
    pub(crate) fn is_full(&self) -> bool {
        !self.quick && self.only.is_empty() && self.peers.is_empty() && self.rounds() >= MIN_ROUNDS
    }

    /// The number of rounds to run.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 5 } else { 15 })
    }

    /// The time that a plain sample takes.
    pub(crate) fn sample_time(&self) -> Duration {
        Duration::from_micros(if self.quick { 2_500 } else { 14_000 })
    }

    /// Whether the user asked for that workload.
    pub(crate) fn selects(&self, workload: &Workload) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.name == workload.name)
    }

    /// Whether the user asked for that contestant. framepool always takes part.
    pub(crate) fn invites(&self, contestant: &Contestant) -> bool {
        let is_ours = contestant.name == "framepool";
        is_ours || self.peers.is_empty() || self.peers.iter().any(|peer| peer.name == contestant.name)
    }
}

fn workload(name: &str) -> Result<&'static Workload, String> {
    let known = || names(workloads::WORKLOADS.iter().map(|workload| workload.name));
    workloads::named(name).ok_or_else(|| format!("the workloads are {}", known()))
}

fn contestant(name: &str) -> Result<&'static Contestant, String> {
    let known = || names(contestants::CONTESTANTS.iter().map(|contestant| contestant.name));
    contestants::named(name).ok_or_else(|| format!("the contestants are {}", known()))
}

fn names(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &str) -> Result<Cli, Failure> {
        Cli::read(["framepool-peers"].into_iter().chain(flags.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn without_flags_everything_is_measured_in_fifteen_rounds() {
        let cli = read("").expect("defaults");
        assert!(cli.is_full() && cli.rounds() == 15);
        assert!(!read("--rounds 8").expect("a number").is_full());
        assert!(workloads::WORKLOADS.iter().all(|workload| cli.selects(workload)));
    }

    #[test]
    fn a_list_of_peers_leaves_framepool_in() {
        let cli = read("--quick --only pairs --peers glibc,ring").expect("known names");
        let invited: Vec<_> = contestants::CONTESTANTS.iter().filter(|who| cli.invites(who)).collect();
        assert_eq!(invited.iter().map(|who| who.name).collect::<Vec<_>>(), ["framepool", "glibc", "ring"]);
        assert!(!cli.is_full() && cli.rounds() == 5);
    }

    #[test]
    fn nonsense_is_refused_in_one_line_with_status_2() {
        let nonsense = [
            "--bogus",
            "extra",
            "--only pear",
            "--peers mimalloc,pear",
            "--peers",
            "--rounds 0",
            "--rounds x",
            "--render --quick",
            "--sample pairs",
        ];
        for flags in nonsense {
            let failure = read(flags).expect_err(flags);
            let text = failure.to_string();
            assert!(failure.status == 2 && !text.is_empty() && !text.contains('\n'), "{flags}: {text:?}");
        }
    }
}
