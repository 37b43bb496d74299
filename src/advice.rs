//! Turns a [recording](crate::Config::record) into findings about the present table, and into a better table.
//!
//! The rule of thumb "clients x frames per second x 2 slots" is a guess. The advice rests on what a run asked
//! for: [`fit`] cuts the classes, [`unserved`] decides what is not worth a slot, [`findings`] compares the
//! present classes with the recording, and [`text`] prints all of it. This is ordinary code, which may allocate. None of it runs inside the allocator.

mod findings;
mod fit;
mod text;
mod unserved;

use crate::config::Config;
use crate::config::sizing::with_headroom;
use crate::slots::class::Class;
use crate::stats::recording::{Profile, Recording, RecordingCost, Seen, bin_of, lowest_size};
use crate::stats::{Bypass, Stats};
use crate::tunables::DEFAULT_TABLE;

pub use findings::Finding;
pub use unserved::{Unserved, UnservedReason};

/// The findings of a recorded run, and the table that would have served it: see [`Stats::advice`].
///
/// `Display` prints the findings, one a line, and what the table leaves out. Then it prints the table as a Rust
/// constant, ready to paste, and as a value of `FRAMEPOOL`.
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
    /// All requests of the run.
    pub requested: Demand,
    /// The requests that the advised table would have served.
    pub served: Demand,
    /// The requests that the advised table leaves to the fallback, by reason. Empty without a table.
    pub unserved: Vec<Unserved>,
    /// The time that the recording took. `None` if the system does not tell it, and in the child of a fork.
    pub cost: Option<RecordingCost>,
}

/// Requests of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Demand {
    /// The number of requests.
    pub requests: u64,
    /// Bytes of these requests together.
    pub bytes: u64,
}

impl Demand {
    fn of(sizes: &[&Seen]) -> Self {
        let add = |sum: Self, seen: &&Seen| Self {
            requests: sum.requests + seen.requests,
            bytes: sum.bytes.wrapping_add(seen.bytes),
        };
        sizes.iter().fold(Self::default(), add)
    }
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

impl ClassAdvice {
    const NONE: Self = Self { slot_bytes: 0, slots: 0, floor: 0, peak: 0 };
}

impl Advice {
    /// Returns the advised table as a configuration, or `None` if there is none.
    ///
    /// The configuration [makes sense](Config::validate). What the advice does not set is as in
    /// [`Config::new`]. There are no [magazines](Config::magazine), because the table has no slots left over
    /// for threads to cache. Users with memory to spare may double the slots and allow magazines.
    #[must_use]
    pub fn config(&self) -> Option<Config> {
        (!self.classes.is_empty()).then(|| table(&self.classes))
    }

    /// Returns the bytes of all advised slots together. Classes that are switched off do not count: nothing uses
    /// their one slot, so it takes no memory.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        self.classes.iter().filter(|class| class.peak > 0).map(|class| class.slot_bytes * class.slots).sum()
    }

    /// Returns the bytes of the slots that were needed at once in each class, without headroom.
    #[must_use]
    pub fn peak_bytes(&self) -> usize {
        self.classes.iter().map(|class| class.slot_bytes * class.peak).sum()
    }
}

impl Stats {
    /// Returns the findings of a [recorded](Config::record) run about its table, and a better table.
    ///
    /// The better table would have served all requests of the run without a miss, except those that it
    /// [leaves out](Advice::unserved), with the minimum memory for four classes.
    ///
    /// All sizes are served that have room in the slots of the run's table or of the default table. Larger ones are
    /// served if their class is worth its slots: see [`UnservedReason`].
    ///
    /// A [floor](Config::floor) leaves small sizes to the fallback, which serves them as quickly: those below the
    /// run's own floor, and those below 256 bytes if Small [holds slots back](Config::hold_back) or tiny objects
    /// crowd it. If a size has more blocks at once than a class may have slots, the floor is above it.
    ///
    /// A class gets the maximum number of blocks that lived at once plus 12 %, at least one more. Another run
    /// may need more, so record a run that is as busy as it gets. A recording of the
    /// same run with the advised table can only lead to a smaller table.
    ///
    /// No class has smaller slots than the default table has in the class below it, so that larger sizes than the
    /// run had find slots too. The exception is four smaller classes of which each serves at least 5 % of the
    /// bytes. A class that serves nothing is switched off: sizes that fall to it go to the fallback.
    ///
    /// Reads the recording as it is now, not as it was at the time of the snapshot. Allocates. Takes several
    /// milliseconds, and 7 to 70 ms for a program with a thousand sizes.
    #[must_use]
    pub fn advice(&self) -> Advice {
        let nothing = Advice {
            recorded: false,
            findings: Vec::new(),
            classes: Vec::new(),
            requested: Demand::default(),
            served: Demand::default(),
            unserved: Vec::new(),
            cost: None,
        };
        self.recording.0.map_or(nothing, |recording| advise(recording, self, recording.cost.so_far()))
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

/// Returns the advice that follows from a recording. `cost` is the time that it took, if that is known.
pub(crate) fn advise(recording: &Recording, stats: &Stats, cost: Option<RecordingCost>) -> Advice {
    // The recording has the frees of blocks that were allocated while the pools were being reserved, but not
    // their allocations.
    let profile = recording.profile(stats.bypassed(Bypass::Starting) as usize);
    let all: Vec<_> = profile.seen.iter().collect();
    let config = recording.config();
    let tiny_below = tiny_below(&profile, &config);
    let floor = floor(&profile, tiny_below);
    let (small, sizes): (Vec<&Seen>, Vec<&Seen>) = all.iter().partition(|seen| seen.largest_asked < floor);
    let largest_slot = config.slot_bytes(Class::XLarge);
    let fits_now = sizes.partition_point(|seen| seen.largest <= largest_slot);
    let fits_default = sizes.partition_point(|seen| seen.largest <= DEFAULT_TABLE[Class::XLarge as usize].0);

    let how = (floor, config.memory.huge_pages);
    let always_served = fits_now.max(fits_default);
    let (classes, mut unserved) = unserved::cut_worthwhile(&profile, &sizes, always_served, how);
    let top = unserved::largest_slot(&classes);
    let served = &sizes[..sizes.partition_point(|seen| seen.largest <= top)];
    if !served.is_empty() {
        let (tiny, crowded): (Vec<&Seen>, Vec<&Seen>) =
            small.iter().partition(|seen| seen.largest_asked < tiny_below);
        let crowded = Unserved::of(&profile, &crowded, UnservedReason::Crowded);
        let tiny = Unserved::of(&profile, &tiny, UnservedReason::BelowFloor);
        unserved.splice(0..0, tiny.into_iter().chain(crowded));
    }
    Advice {
        recorded: true,
        findings: findings::find(recording, &profile, &served[fits_now.min(served.len())..], stats),
        classes,
        requested: Demand::of(&all),
        served: Demand::of(served),
        unserved,
        cost,
    }
}

/// The size in bytes below which objects gain nothing from a slot, where the default table says so.
const TINY: usize = DEFAULT_TABLE[0].0 / 4;

/// Returns the size in bytes below which objects are left to the fallback because they gain nothing from a slot.
///
/// It leaves no step of the recording in two, so that each step is served or not as a whole.
fn tiny_below(profile: &Profile, config: &Config) -> usize {
    let small = &config.classes[0];
    let (held, min_bytes) = small.held_back();
    // A floor above the slots switches a class off, and says nothing about sizes.
    let floor = if small.floor > small.slot_bytes { 0 } else { small.floor };
    let is_crowded = held == 0 && findings::do_tiny_objects_crowd(profile, config);
    let from_hold_back = if held > 0 { min_bytes.min(TINY) } else { 0 };
    let from_crowd = if is_crowded { TINY } else { 0 };
    let floor = floor.max(from_hold_back).max(from_crowd);
    let is_split = |seen: &&Seen| seen.bin == bin_of(floor) && seen.largest_asked >= floor;
    profile.seen.iter().find(is_split).map_or(floor, |seen| lowest_size(seen.bin).min(floor))
}

/// Returns the size in bytes below which no class serves anything: above all sizes of which more blocks live at once
/// than a class may have slots.
fn floor(profile: &Profile, tiny_below: usize) -> usize {
    let is_crowd =
        |seen: &&Seen| with_headroom(profile.max_at_once(seen.bin..seen.bin + 1)) > Config::MAX_SLOTS;
    profile.seen.iter().rfind(is_crowd).map_or(tiny_below, |seen| tiny_below.max(seen.largest_asked + 1))
}

#[cfg(test)]
mod tests;
