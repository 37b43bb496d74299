//! Compares a recording with the table that its run had.

use core::fmt;
use core::ops::Range;

use super::unserved::{LARGEST, MANY};
use crate::config::Config;
use crate::config::sizing::{USES_PER_SLOT, with_headroom};
use crate::slots::class::Class;
use crate::stats::Stats;
use crate::stats::recording::{Profile, Recording, Seen, bin_of};

/// A finding of a recorded run about its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Finding {
    /// A class had misses, or fewer slots than blocks that wanted one at once.
    TooFewSlots {
        /// The class.
        class: Class,
        /// The number of slots that it has.
        slots: u64,
        /// The maximum number of its blocks, hits and misses, that lived at once.
        wanted: u64,
    },
    /// At least half of the slots of a class were never needed, not even as headroom.
    TooManySlots {
        /// The class.
        class: Class,
        /// The number of slots that it has.
        slots: u64,
        /// The maximum number of its blocks that lived at once.
        wanted: u64,
    },
    /// Requests of a size repeat often, and use at most half of their slots.
    OversizedSlots {
        /// The class whose slots they use.
        class: Class,
        /// Bytes of a slot.
        slot_bytes: u64,
        /// Bytes asked for.
        bytes: u64,
        /// The number of requests.
        requests: u64,
    },
    /// Requests exceed the slots of a class by at most a sixteenth, and so take slots of the next class.
    SlightlyTooLarge {
        /// The class whose slots are too small for them.
        class: Class,
        /// Bytes of a slot of that class.
        slot_bytes: u64,
        /// Bytes asked for.
        bytes: u64,
        /// The number of requests.
        requests: u64,
    },
    /// Requests are larger than every slot, and worth one.
    FitsNoClass {
        /// Bytes of the largest of them.
        bytes: u64,
        /// The number of requests.
        requests: u64,
        /// The maximum number of their blocks that lived at once.
        wanted: u64,
    },
    /// So many tiny objects live at once that they could fill half of Small or more.
    TinyObjects {
        /// The size in bytes that all of them are below.
        below: u64,
        /// The maximum number of them that lived at once.
        at_once: u64,
        /// The number of slots of Small.
        slots: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Finding::TooFewSlots { class, slots, wanted } => {
                write!(f, "{class} has too few slots: {wanted} were wanted at once, it has {slots}")
            }
            Finding::TooManySlots { class, slots, wanted } => {
                write!(f, "{class} has too many slots: {wanted} were wanted at once, it has {slots}")
            }
            Finding::OversizedSlots { class, slot_bytes, bytes, requests } => {
                let percent = 100 * (slot_bytes - bytes) / slot_bytes;
                write!(
                    f,
                    "{class} is cut too large for {bytes} bytes ({requests} requests): {percent} % of a slot is wasted"
                )
            }
            Finding::SlightlyTooLarge { class, slot_bytes, bytes, requests } => {
                write!(
                    f,
                    "{bytes} bytes ({requests} requests) just miss {class}, whose slots have {slot_bytes}"
                )
            }
            Finding::FitsNoClass { bytes, requests, wanted } => {
                write!(f, "{requests} requests of up to {bytes} bytes ({wanted} at once) fit no class")
            }
            Finding::TinyObjects { below, at_once, slots } => {
                write!(
                    f,
                    "tiny objects crowd Small: {at_once} below {below} bytes lived at once, it has {slots} slots"
                )
            }
        }
    }
}

/// The minimum waste, in bytes at once, that makes a finding.
const WASTE_THAT_COUNTS: usize = 64 << 10;

/// Returns the findings. `too_large` are the sizes above every slot that are worth one.
pub(super) fn find(
    recording: &Recording,
    profile: &Profile,
    too_large: &[&Seen],
    stats: &Stats,
) -> Vec<Finding> {
    let config = &recording.config();
    let mut findings = Vec::new();
    if do_tiny_objects_crowd(profile, config) {
        let below = tiny_below(config);
        let at_once = profile.max_at_once(tiny_bins(config)) as u64;
        findings.push(Finding::TinyObjects {
            below: below as u64,
            at_once,
            slots: config.slots(Class::Small) as u64,
        });
    }
    for class in Class::ALL {
        let wanted = recording.peak_demand(class as usize);
        findings.extend(slots(class, config.slots(class), wanted, stats));
        findings.extend(waste(class, profile, config));
        findings.extend(slightly_too_large(class, profile, config));
    }
    if let (Some(first), Some(last)) = (too_large.first(), too_large.last()) {
        findings.push(Finding::FitsNoClass {
            bytes: last.largest as u64,
            requests: too_large.iter().map(|seen| seen.requests).sum(),
            wanted: profile.max_at_once(first.bin..last.bin + 1) as u64,
        });
    }
    findings
}

/// Whether a size alone is worth slots: it is asked for many times, and at least four times as often as its blocks
/// live side by side.
fn is_worth_a_slot(profile: &Profile, seen: &Seen) -> bool {
    let at_once = profile.max_at_once(seen.bin..seen.bin + 1) as u64;
    seen.largest <= LARGEST && seen.requests >= MANY && seen.requests >= USES_PER_SLOT * at_once
}

/// Whether objects below a quarter of Small's slot size could fill half of its slots.
pub(super) fn do_tiny_objects_crowd(profile: &Profile, config: &Config) -> bool {
    profile.max_at_once(tiny_bins(config)) * 2 >= config.slots(Class::Small)
}

fn tiny_below(config: &Config) -> usize {
    config.slot_bytes(Class::Small) / 4
}

/// Returns the bins whose sizes are all tiny, from the bin of the floor on.
fn tiny_bins(config: &Config) -> Range<usize> {
    let to = bin_of(tiny_below(config).max(1));
    bin_of(config.classes[0].floor.max(1)).min(to)..to
}

fn slots(class: Class, slots: usize, wanted: usize, stats: &Stats) -> Option<Finding> {
    let (slots_u64, wanted_u64) = (slots as u64, wanted as u64);
    if stats.class(class).misses > 0 || wanted > slots {
        Some(Finding::TooFewSlots { class, slots: slots_u64, wanted: wanted_u64 })
    } else if 2 * with_headroom(wanted) <= slots {
        Some(Finding::TooManySlots { class, slots: slots_u64, wanted: wanted_u64 })
    } else {
        None
    }
}

/// Returns the size that wastes most of the class's slots, if that is half of each slot or more.
fn waste(class: Class, profile: &Profile, config: &Config) -> Option<Finding> {
    let slot_bytes = config.slot_bytes(class);
    let wasted = |seen: &&Seen| {
        let at_once = profile.max_at_once(seen.bin..seen.bin + 1);
        (slot_bytes - seen.largest) * at_once
    };
    let of_class = of(class, profile, config).filter(|seen| 2 * seen.largest <= slot_bytes);
    let repeated = of_class.filter(|seen| is_worth_a_slot(profile, seen));
    let worst = repeated.filter(|seen| wasted(seen) >= WASTE_THAT_COUNTS).max_by_key(wasted)?;
    let (bytes, requests) = (worst.largest as u64, worst.requests);
    Some(Finding::OversizedSlots { class, slot_bytes: slot_bytes as u64, bytes, requests })
}

/// Returns the most requested of the sizes that narrowly exceed a class. They exceed its slots by at most a
/// sixteenth, and so take slots of the next class.
fn slightly_too_large(class: Class, profile: &Profile, config: &Config) -> Option<Finding> {
    let next = *Class::ALL.get(class as usize + 1)?;
    let slot_bytes = config.slot_bytes(class);
    let near = of(next, profile, config).filter(|seen| seen.largest <= slot_bytes + slot_bytes / 16);
    let most = near.filter(|seen| is_worth_a_slot(profile, seen)).max_by_key(|seen| seen.requests)?;
    let (bytes, requests) = (most.largest as u64, most.requests);
    Some(Finding::SlightlyTooLarge { class, slot_bytes: slot_bytes as u64, bytes, requests })
}

/// Returns the sizes that fall to the class by its slot size and floor.
fn of<'a>(class: Class, profile: &'a Profile, config: &Config) -> impl Iterator<Item = &'a Seen> {
    let below = if class == Class::Small { 0 } else { config.slot_bytes(Class::ALL[class as usize - 1]) };
    let floor = config.classes[class as usize].floor;
    let sizes = below.max(floor.saturating_sub(1)) + 1..=config.slot_bytes(class);
    profile.seen.iter().filter(move |seen| sizes.contains(&seen.largest))
}
