//! From a [recording](crate::Config::record) to the table that would have served it: what is wrong with the present one, and a better one.
//!
//! The rule of thumb of the design that these pools come from, clients x frames per second x 2 slots, is a guess. This is what was seen:
//! [`fit`] cuts the classes, [`findings`] compares the present ones, [`text`] prints both. Ordinary code, which may allocate; nothing of it runs
//! inside the allocator.

mod findings;
mod fit;
mod text;

use crate::config::Config;
use crate::slots::class::Class;
use crate::stats::recording::{Profile, Recording, Seen};
use crate::stats::{Bypass, Stats};

pub use findings::Finding;

/// What a recorded run says about the table: see [`Stats::advice`].
///
/// Its `Display` is the findings, a line each, then the table as a Rust constant, ready to paste, and as a value of `FRAMEPOOL`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Advice {
    /// Whether there was a [recording](Config::record) at all. All else is empty if not.
    pub recorded: bool,
    /// What is wrong with the table that the run had, worst first within each class.
    pub findings: Vec<Finding>,
    /// The classes that would have served the run, smallest first: four, or none if nothing was asked for that is worth a slot, or if more
    /// lived at once than four classes may have slots.
    pub classes: Vec<ClassAdvice>,
    /// What is left to the fallback although nothing in the way of a [floor](Config::floor) says so.
    pub unserved: Option<Unserved>,
}

/// One class of the advised table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClassAdvice {
    /// Bytes of a slot.
    pub slot_bytes: usize,
    /// How many: `peak`, and 12 % of that or one more.
    pub slots: usize,
    /// Bytes below which the class should serve nothing; 0 for no such.
    pub floor: usize,
    /// The most blocks of the class that lived at once, or somewhat more: never less. 0 if it is only there to make four.
    pub peak: usize,
}

/// The largest requests, which are not worth a slot because they are rare, or larger than any slot and their blocks stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Unserved {
    /// How many.
    pub requests: u64,
    /// Bytes of the largest.
    pub largest: usize,
}

impl Advice {
    /// The advised table, which [makes sense](Config::validate); all else as [`Config::new`] has it. `None` if there is none.
    ///
    /// It has no [magazines](Config::magazine): there is nothing in it for threads to keep. Who has memory to spare may double the slots, and let
    /// them.
    pub fn config(&self) -> Option<Config> {
        (!self.classes.is_empty()).then(|| table(&self.classes))
    }

    /// Bytes of all advised slots together.
    pub fn reserved_bytes(&self) -> usize {
        self.config().map_or(0, |table| table.reserved_bytes())
    }

    /// The same without headroom: bytes of the slots that were needed at once in each class.
    pub fn peak_bytes(&self) -> usize {
        self.classes.iter().map(|class| class.slot_bytes * class.peak).sum()
    }
}

impl Stats {
    /// What is wrong with the table, and one that would have served all that was [recorded](Config::record) without a miss, at the least memory
    /// for four classes.
    ///
    /// Whatever is smaller than what Small is [held back](Config::hold_back) for, or than a quarter of its slots where tiny objects crowd it, is
    /// left to the fallback by a [floor](Config::floor): it is as quick there. So are the largest sizes as far as they
    /// are asked for rarely. To the most blocks that lived at once 12 % are added, or one; another run may need more than
    /// that, so record a run that is as busy as it gets. Recorded again with the advised table, the advice can only get tighter.
    ///
    /// Reads the recording as it is now, not as it was at the time of the snapshot. Allocates; takes some milliseconds, 50 for a program of a thousand sizes.
    pub fn advice(&self) -> Advice {
        let nothing = Advice { recorded: false, findings: Vec::new(), classes: Vec::new(), unserved: None };
        self.recording.0.map_or(nothing, |recording| advise(recording, self))
    }
}

/// Of four classes.
fn table(classes: &[ClassAdvice]) -> Config {
    Class::ALL.into_iter().zip(classes).fold(Config::new(), |config, (class, advice)| {
        config
            .class(class, advice.slot_bytes, advice.slots)
            .floor(class, advice.floor)
            .hold_back(class, 0, 0)
            .magazine(class, 0)
    })
}

/// Slots for so many at once: one more, or 12 %.
fn with_headroom(peak: usize) -> usize {
    peak + (peak * 12).div_ceil(100).max(1)
}

fn advise(recording: &Recording, stats: &Stats) -> Advice {
    // Blocks that were allocated while the pools were being reserved are missing, and their frees are not.
    let profile = recording.profile(stats.bypassed(Bypass::Starting) as usize);
    let largest_slot = recording.config.slot_bytes(Class::XLarge);
    let floor = floor(&profile, &recording.config);
    let is_kept = |seen: &&Seen| {
        if seen.largest <= largest_slot { seen.requests >= MANY } else { is_worth_a_slot(&profile, seen) }
    };
    // Of what is rare, only the largest can be left out: what is smaller would take the slots of others.
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

/// Requests of fewer are not worth slots of their own.
const MANY: u64 = 16;

/// Larger requests are address space that somebody manages by himself.
const LARGEST: usize = 1 << 30;

/// Whether a size that no class serves is worth a slot: asked for many times, and more often than its blocks live side by side.
fn is_worth_a_slot(profile: &Profile, seen: &Seen) -> bool {
    let at_once = profile.max_at_once(seen.bin..seen.bin + 1) as u64;
    seen.largest <= LARGEST && seen.requests >= MANY && seen.requests >= 4 * at_once
}

/// Bytes below which layouts are not worth a slot.
fn floor(profile: &Profile, config: &Config) -> usize {
    let small = &config.classes[0];
    let (held, min_bytes) = small.held_back();
    let present = if held > 0 { small.floor.max(min_bytes) } else { small.floor };
    let is_crowded = held == 0 && findings::do_tiny_objects_crowd(profile, config);
    let present = if is_crowded { present.max(small.slot_bytes / 4) } else { present };
    // Of some sizes there are more than a class may have slots.
    let is_legion =
        |seen: &&Seen| with_headroom(profile.max_at_once(seen.bin..seen.bin + 1)) > Config::MAX_SLOTS;
    profile.seen.iter().rfind(is_legion).map_or(present, |seen| present.max(seen.largest + 1))
}

#[cfg(test)]
mod tests;
