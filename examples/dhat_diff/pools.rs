//! The figures of the pools in a profiled run. They lie in a file next to the profile, because dhat cannot
//! see them.

use framepool::{Bypass, Class, Residency, Stats};
use serde::{Deserialize, Serialize};

/// The version of this file's format.
const VERSION: u32 = 1;

/// The maximum number of blocks or bytes in a file: more than any program requests, and a sum of two or three
/// cannot overflow.
pub(crate) const MAX: u64 = 1 << 62;

/// A number of blocks, and the bytes that were requested in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Amount {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

/// One class of the pools.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClassFigures {
    pub(crate) name: String,
    pub(crate) slot_bytes: u64,
    pub(crate) slots: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) peak: u64,
}

/// The pools between the profiler's start and its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pools {
    /// The version of this format.
    framepool_pools: u32,
    /// The requests that slots served: allocations, and reallocations that ended in a slot.
    pub(crate) served: Amount,
    /// The requests that reached the fallback, and so dhat.
    pub(crate) passed_on: Amount,
    /// The address space of the slots, and the part of it that was resident in the end.
    pub(crate) reserved_bytes: u64,
    pub(crate) resident_bytes: u64,
    pub(crate) classes: Vec<ClassFigures>,
    /// Requests that no pool serves, by reason.
    pub(crate) bypasses: Vec<(String, u64)>,
}

impl Pools {
    #[allow(
        dead_code,
        reason = "the programs that write such files have it, the one that reads them has not"
    )]
    pub(crate) fn of(stats: &Stats, residency: &Residency) -> Self {
        let class = |class: Class| {
            let framepool::ClassStats { slot_bytes, slots, hits, misses, peak, .. } = stats.class(class);
            ClassFigures { name: class.name().to_owned(), slot_bytes, slots, hits, misses, peak }
        };
        let (blocks, bytes) = stats.served();
        Self {
            framepool_pools: VERSION,
            served: Amount { blocks, bytes },
            passed_on: Amount { blocks: stats.fallbacks(), bytes: stats.fallback_bytes() },
            reserved_bytes: residency.reserved_bytes,
            resident_bytes: residency.resident_bytes,
            classes: Class::ALL.map(class).to_vec(),
            bypasses: Bypass::ALL
                .iter()
                .map(|&reason| (reason.name().to_owned(), stats.bypassed(reason)))
                .collect(),
        }
    }

    /// Returns how much of the requested bytes slots served, as a text.
    #[allow(dead_code, reason = "the program that reads such files has it, those that write them have not")]
    pub(crate) fn share(&self) -> String {
        let total = self.served.bytes + self.passed_on.bytes;
        match total {
            0 => "n/a".to_owned(),
            // Rounded down, so that only all is 100.0.
            _ => format!("{:.1} %", (1000.0 * self.served.bytes as f64 / total as f64).floor() / 10.0),
        }
    }

    /// Reads a file of the pools' figures.
    ///
    /// # Errors
    ///
    /// A text of one line that says what is wrong with the file.
    #[allow(dead_code, reason = "the program that reads such files has it, those that write them have not")]
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let pools: Self =
            serde_json::from_slice(text).map_err(|error| format!("not the pools' figures: {error}"))?;
        let is_sane = |amount: Amount| amount.blocks.max(amount.bytes) <= MAX;
        match pools.framepool_pools {
            VERSION if !is_sane(pools.served) || !is_sane(pools.passed_on) => {
                Err(format!("the pools' figures exceed {MAX}"))
            }
            VERSION => Ok(pools),
            other => Err(format!("the pools' figures are of version {other}, not {VERSION}")),
        }
    }
}
