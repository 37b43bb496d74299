//! The flags, and the demands that they make on a comparison.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use clap::error::ErrorKind;

use crate::diff::Diff;
use crate::failure::Failure;
use crate::pools::{Amount, MAX};

/// Compares two dhat profiles of the same work: with the system's allocator, and with the pools.
///
/// Exits with 0 if all is well. Exits with 1 if --max-blocks, --min-absorbed or --require-identity does not
/// hold, or if the result cannot be written. Exits with 2 if a flag or a file is not what it should be.
#[derive(Clone, Debug, Parser)]
#[command(name = "dhat_diff", bin_name = "dhat_diff", max_term_width = 100)]
pub(crate) struct Cli {
    /// Profile of the run with the pools off, or without them
    #[arg(value_name = "SYSTEM.json")]
    pub(crate) system: PathBuf,
    /// Profile of the run with the pools on
    #[arg(value_name = "POOL.json")]
    pub(crate) pool: PathBuf,
    /// Blocks and bytes that the pools served in the run of POOL.json, if there is no POOL.pools.json
    #[arg(long, value_name = "BLOCKS,BYTES", value_parser = amount)]
    pub(crate) served: Option<Amount>,
    /// Sites to show
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) top: usize,
    /// Print the comparison for machines, all sites of it
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the comparison as a page to look at, in one file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Maximum number of blocks that may be left in POOL.json
    #[arg(long, value_name = "N")]
    pub(crate) max_blocks: Option<u64>,
    /// Minimum share of SYSTEM.json's bytes that must be gone, 0 to 100
    #[arg(long, value_name = "PCT", value_parser = percent)]
    pub(crate) min_absorbed: Option<f64>,
    /// The identity must be known and close, and the pools' statistics must agree with dhat
    #[arg(long)]
    pub(crate) require_identity: bool,
}

/// A demand that the user made with a flag.
#[derive(Debug)]
pub(crate) struct Demand {
    pub(crate) text: String,
    pub(crate) holds: bool,
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

    /// Returns the demands of the user, and whether each holds.
    pub(crate) fn demands(&self, diff: &Diff) -> Vec<Demand> {
        let blocks = self.max_blocks.map(|most| Demand {
            text: format!("at most {most} blocks left: {}", diff.pool.blocks),
            holds: diff.pool.blocks <= most,
        });
        let absorbed = self.min_absorbed.map(|least| Demand {
            text: format!("at least {least} % of the bytes absorbed: {:.2} %", diff.absorbed_bytes_percent),
            holds: diff.absorbed_bytes_percent >= least,
        });
        let identity = self.require_identity.then(|| Demand {
            text: "the identity closes".to_owned(),
            holds: diff.identity.as_ref().is_some_and(|of| of.closes && of.agrees != Some(false)),
        });
        blocks.into_iter().chain(absorbed).chain(identity).collect()
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "a percentage is a number from 0 to 100".to_owned())
}

fn amount(text: &str) -> Result<Amount, String> {
    let amount = text.split_once(',').and_then(|(blocks, bytes)| {
        Some(Amount { blocks: blocks.trim().parse().ok()?, bytes: bytes.trim().parse().ok()? })
    });
    let amount = amount.filter(|amount| amount.blocks.max(amount.bytes) <= MAX);
    amount.ok_or_else(|| "as in 5590,1066273937".to_owned())
}
