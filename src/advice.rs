//! Turns a [recording](crate::Config::record) into findings about the present table, and into a better table.
//!
//! The rule of thumb "clients x frames per second x 2 slots" is a guess. The advice rests on what a run asked
//! for: [`fit`] cuts the classes, [`findings`] compares the present ones with the recording, and [`text`]
//! prints both. This is ordinary code, which may allocate. None of it runs inside the allocator.

mod findings;
mod fit;
mod text;

use crate::config::Config;
use crate::config::sizing::{USES_PER_SLOT, with_headroom};
use crate::slots::class::Class;
use crate::stats::recording::{Profile, Recording, Seen};
use crate::stats::{Bypass, Stats};

pub use findings::Finding;

/// The findings of a recorded run, and the table that would have served it: see [`Stats::advice`].
///
/// `Display` prints the findings, one a line. Then it prints the table as a Rust constant, ready to paste,
/// and as a value of `FRAMEPOOL`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Advice {
    /// Whether there was a [recording](Config::record). If not, all other fields are empty.
    pub recorded: bool,
    /// The findings about the run's table: tiny objects, then class by class, then sizes that fit no class.
    pub findings: Vec<Finding>,
    /// The four classes that would have served the run, smallest first.
    ///
    /// Empty if no request was worth a slot, or if more blocks lived at once than four classes may have
    /// slots.
    pub classes: Vec<ClassAdvice>,
    /// The requests that are larger than every advised slot, so that the fallback serves them. Requests below
    /// a [floor](Config::floor) are not among them. `None` if there are none.
    pub unserved: Option<Unserved>,
}

/// One class of the advised table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClassAdvice {
    /// Bytes of a slot.
    pub slot_bytes: usize,
    /// The number of slots: `peak` and 12 % of it, at least one more.
    pub slots: usize,
    /// The size in bytes below which the class should serve nothing; 0 if it has no floor.
    pub floor: usize,
    /// The maximum number of blocks of the class that lived at once, or an upper bound of it. 0 if the class
    /// was added only to make four classes.
    pub peak: usize,
}

/// The largest requests, which are not worth a slot.
///
/// A size is not worth a slot in three cases:
///
/// - it is rare: fewer than 16 requests;
/// - it exceeds every slot of the run's table, and its blocks stay: there are fewer than four requests for
///   each block that lives at once;
/// - it exceeds every slot of the run's table, and its blocks take more than 1 GiB at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Unserved {
    /// The number of requests.
    pub requests: u64,
    /// Bytes of the largest request.
    pub largest: usize,
}

impl Advice {
    /// Returns the advised table as a configuration, or `None` if there is none.
    ///
    /// The configuration [makes sense](Config::validate). What the advice does not set is as in
    /// [`Config::new`]. There are no [magazines](Config::magazine), because the table has no slots left over
    /// for threads to cache. Users with memory to spare may double the slots and allow magazines.
    pub fn config(&self) -> Option<Config> {
        (!self.classes.is_empty()).then(|| table(&self.classes))
    }

    /// Returns the bytes of all advised slots together.
    pub fn reserved_bytes(&self) -> usize {
        self.config().map_or(0, |table| table.reserved_bytes())
    }

    /// Returns the bytes of the slots that were needed at once in each class, without headroom.
    pub fn peak_bytes(&self) -> usize {
        self.classes.iter().map(|class| class.slot_bytes * class.peak).sum()
    }
}

impl Stats {
    /// Returns the findings of a [recorded](Config::record) run about its table, and a better table.
    ///
    /// The better table would have served the run without a miss, with the minimum memory for four classes.
    ///
    /// A [floor](Config::floor) leaves small sizes to the fallback, which serves them as quickly. These are
    /// the sizes below the minimum that Small is [held back](Config::hold_back) for. If it holds nothing back
    /// and tiny objects crowd it, they are the sizes below a quarter of its slots. If a size has more blocks
    /// at once than a class may have slots, the floor is above it. The largest sizes also go to the fallback,
    /// if they are asked for rarely.
    ///
    /// A class gets the maximum number of blocks that lived at once plus 12 %, at least one more. Another run
    /// may need more, so record a run that is as busy as it gets. A recording of the
    /// same run with the advised table can only lead to a smaller table.
    ///
    /// Reads the recording as it is now, not as it was at the time of the snapshot. Allocates. Takes several
    /// milliseconds; 50 ms for a program with a thousand sizes.
    pub fn advice(&self) -> Advice {
        let nothing = Advice { recorded: false, findings: Vec::new(), classes: Vec::new(), unserved: None };
        self.recording.0.map_or(nothing, |recording| advise(recording, self))
    }
}

/// Makes a configuration of four classes.
fn table(classes: &[ClassAdvice]) -> Config {
    Class::ALL.into_iter().zip(classes).fold(Config::new(), |config, (class, advice)| {
        config
            .class(class, advice.slot_bytes, advice.slots)
            .floor(class, advice.floor)
            .hold_back(class, 0, 0)
            .magazine(class, 0)
    })
}

fn advise(recording: &Recording, stats: &Stats) -> Advice {
    // The recording has the frees of blocks that were allocated while the pools were being reserved, but not
    // their allocations.
    let profile = recording.profile(stats.bypassed(Bypass::Starting) as usize);
    let largest_slot = recording.config.slot_bytes(Class::XLarge);
    let floor = floor(&profile, &recording.config);
    let is_kept = |seen: &&Seen| {
        if seen.largest <= largest_slot { seen.requests >= MANY } else { is_worth_a_slot(&profile, seen) }
    };
    // Only the largest of the rare sizes can be left out. A smaller one would take slots of other sizes.
    let above_floor: Vec<_> = profile.seen.iter().filter(|seen| seen.largest >= floor).collect();
    let end = above_floor.iter().rposition(is_kept).map_or(0, |last| last + 1);
    let classes = fit::cut(&profile, &above_floor[..end], floor);
    let top = classes.iter().filter(|class| class.peak > 0).map(|class| class.slot_bytes).max().unwrap_or(0);
    let left: Vec<_> = above_floor[end..].iter().filter(|seen| seen.largest > top).collect();
    let unserved = left.last().map(|largest| Unserved {
        requests: left.iter().map(|seen| seen.requests).sum(),
        largest: largest.largest,
    });
    Advice { recorded: true, findings: findings::find(recording, &profile, stats), classes, unserved }
}

/// The minimum number of requests that makes a size worth slots of its own.
const MANY: u64 = 16;

/// The maximum size in bytes that is worth a slot. Larger requests are address space that the program manages
/// itself.
const LARGEST: usize = 1 << 30;

/// Whether a size is worth slots of its own: it is asked for many times, and at least four times as often as
/// its blocks live side by side.
fn is_worth_a_slot(profile: &Profile, seen: &Seen) -> bool {
    let at_once = profile.max_at_once(seen.bin..seen.bin + 1) as u64;
    seen.largest <= LARGEST && seen.requests >= MANY && seen.requests >= USES_PER_SLOT * at_once
}

/// Returns the size in bytes below which layouts are not worth a slot.
fn floor(profile: &Profile, config: &Config) -> usize {
    let small = &config.classes[0];
    let (held, min_bytes) = small.held_back();
    let present = if held > 0 { small.floor.max(min_bytes) } else { small.floor };
    let is_crowded = held == 0 && findings::do_tiny_objects_crowd(profile, config);
    let present = if is_crowded { present.max(small.slot_bytes / 4) } else { present };
    // Some sizes have more blocks at once than a class may have slots.
    let is_legion =
        |seen: &&Seen| with_headroom(profile.max_at_once(seen.bin..seen.bin + 1)) > Config::MAX_SLOTS;
    profile.seen.iter().rfind(is_legion).map_or(present, |seen| present.max(seen.largest + 1))
}

#[cfg(test)]
mod tests;
