//! The cheapest cut of the sizes that were seen into at most four classes.
//!
//! A class costs its slots, headroom included, times the slot size that its largest request needs. All cuts
//! are compared by the usual dynamic program over where the last class begins. Its steps grow with the square
//! of the number of places where a class may begin, of which there are at most [`MAX_PLACES`].

use core::ops::Range;

use super::{ClassAdvice, table};
use crate::config::Config;
use crate::config::sizing::{slot_bytes_for, with_headroom};
use crate::slots::class::{CLASSES, SLOT_STEP};
use crate::stats::recording::{Profile, Seen, bin_of, lowest_size};
use crate::tunables::{DEFAULT_TABLE, GUARD_BYTES};

/// The maximum number of places where a class may begin. With more sizes, a class begins at one size in several.
const MAX_PLACES: usize = 256;

/// A class of which four may all be smaller than usual serves at least one byte in this many.
const EARNS: u64 = 20;

/// Neighbouring sizes that share a class.
struct Group {
    /// Which of the sizes served these are.
    sizes: Range<usize>,
    /// The smallest size that may have been asked for.
    lowest_size: usize,
    slot_bytes: usize,
    /// The maximum number of blocks that lived at once, or an upper bound of it.
    peak: usize,
}

/// The four classes of a table, and the sizes that the largest one serves.
pub(super) struct Cut {
    pub(super) classes: Vec<ClassAdvice>,
    /// Which of the sizes served are in the largest class.
    pub(super) largest: Range<usize>,
}

/// The order of tables: first those whose classes are large, or small and worth it, and then the cheapest.
type Rank = (bool, usize);

/// The sizes that a table has to serve, and its limits.
#[derive(Clone, Copy)]
pub(super) struct Needs<'a> {
    pub(super) profile: &'a Profile,
    /// The sizes to be served, smallest first.
    pub(super) served: &'a [&'a Seen],
    /// The size in bytes below which no class serves anything.
    pub(super) floor: usize,
    /// Whether slots may lie in huge pages.
    pub(super) huge_pages: bool,
}

impl Needs<'_> {
    /// Returns the cheapest table that serves the sizes, with large classes if possible. `None` if there is nothing
    /// to serve, or if no four classes have room for it.
    ///
    /// Slot sizes that are multiples of a small unit make a large slot map, and its size is limited. So coarser
    /// units are tried too, until each number of classes has had a valid table.
    pub(super) fn cut(&self) -> Option<Cut> {
        let mut best = None;
        for log2 in SLOT_STEP.ilog2()..=GUARD_BYTES.ilog2() {
            let mut all_are_valid = true;
            for groups in self.cheapest(1 << log2) {
                let ranked = self.cheapest_table(groups, 1 << log2);
                all_are_valid &= ranked.is_some();
                best = best.into_iter().chain(ranked).min_by_key(|(rank, _)| *rank);
            }
            if all_are_valid {
                break;
            }
        }
        best.map(|(_, cut)| cut)
    }

    /// Returns the best valid table that has a class for each of the groups.
    fn cheapest_table(&self, groups: Vec<Group>, unit: usize) -> Option<(Rank, Cut)> {
        let groups = self.with_shrunk(groups);
        let may_be_small = self.all_earn(&groups);
        // Each way to choose the classes that have a group, as bits.
        let ways = (0..1_usize << CLASSES).filter(|used| used.count_ones() as usize == groups.len());
        let tables = ways.filter_map(|used| placed(&groups, used, unit));
        let tables = tables.map(|classes| with_floor(classes, self.floor));
        let ranked = tables.filter(|classes| table(classes).validate().is_ok()).map(|classes| {
            let rank = (!may_be_small && !are_large(&classes), table(&classes).reserved_bytes());
            (rank, Cut { classes, largest: groups[groups.len() - 1].sizes.clone() })
        });
        ranked.min_by_key(|(rank, _)| *rank)
    }

    /// Adds blocks that shrank and may have stayed in the slot of a larger class. They count in each class above
    /// their own, up to the one that they may have come from.
    fn with_shrunk(&self, mut groups: Vec<Group>) -> Vec<Group> {
        let profile = self.profile;
        for seen in profile.seen.iter().filter(|seen| seen.shrunk > 0) {
            let at_once = profile.max_at_once(seen.bin..seen.bin + 1).min(seen.shrunk);
            let smaller_than =
                |bytes: usize| groups.iter().take_while(|group| group.slot_bytes < bytes).count();
            let reached = smaller_than(seen.shrunk_from) + 1;
            // The class that has room for the new size counts the block already.
            let first = if seen.largest < self.floor { 0 } else { smaller_than(seen.largest) + 1 };
            groups.iter_mut().take(reached).skip(first).for_each(|group| group.peak += at_once);
        }
        groups
    }

    /// Whether there are four groups, and each is asked for a good share of the bytes.
    fn all_earn(&self, groups: &[Group]) -> bool {
        let bytes = |sizes: Range<usize>| self.served[sizes].iter().map(|seen| seen.bytes).sum::<u64>();
        let all = bytes(0..self.served.len());
        groups.len() == CLASSES && groups.iter().all(|group| bytes(group.sizes.clone()) >= all / EARNS)
    }

    /// Returns the cheapest groups for each number of classes, one to four, that has room.
    fn cheapest(&self, unit: usize) -> Vec<Vec<Group>> {
        if self.served.is_empty() {
            return Vec::new();
        }
        let places = places(self.served.len());
        let costs = self.costs(&places, unit);
        let last = places.len() - 1;
        // From the last class down: each class begins where the one before it ends.
        let groups = |classes: usize| {
            let mut to = last;
            let groups = (1..=classes).rev().map(|classes| {
                let from = costs[classes][to].1;
                self.group(places[from]..places[core::mem::replace(&mut to, from)], unit)
            });
            let mut groups: Vec<_> = groups.collect();
            groups.reverse();
            groups
        };
        // Some numbers of classes have no room for the blocks that live at once.
        let is_possible = |&classes: &usize| costs[classes][last].0 < usize::MAX;
        (1..=CLASSES).filter(is_possible).map(groups).collect()
    }

    /// Returns the minimum cost, and the place where the last class begins, for each number of classes and each
    /// place where it ends.
    fn costs(&self, places: &[usize], unit: usize) -> Vec<Vec<(usize, usize)>> {
        let mut costs = vec![vec![(usize::MAX, 0); places.len()]; CLASSES + 1];
        costs[0][0] = (0, 0);
        for to in 1..places.len() {
            for from in 0..to {
                let Group { slot_bytes, peak, .. } = self.group(places[from]..places[to], unit);
                let slots = with_headroom(peak);
                let cost =
                    if slots > Config::MAX_SLOTS { usize::MAX } else { slot_bytes.saturating_mul(slots) };
                for classes in 1..=CLASSES {
                    let sum = costs[classes - 1][from].0.saturating_add(cost);
                    if sum < costs[classes][to].0 {
                        costs[classes][to] = (sum, from);
                    }
                }
            }
        }
        costs
    }

    /// Makes one class for a run of sizes, with slots that are multiples of `unit` and of all alignments in the run.
    fn group(&self, sizes: Range<usize>, unit: usize) -> Group {
        let run = &self.served[sizes.clone()];
        let (first, last) = (run[0], run[run.len() - 1]);
        let unit = run.iter().map(|seen| seen.align).fold(unit, usize::max);
        let slot_bytes = slot_bytes_for(last.largest, unit, self.huge_pages);
        // All sizes that have room there count, in the run or not.
        let peak = self.profile.max_at_once(first.bin..bin_of(slot_bytes) + 1).max(1);
        Group { sizes, lowest_size: lowest_size(first.bin), slot_bytes, peak }
    }
}

/// Returns where a class may begin or end among so many sizes, first and last place included.
fn places(sizes: usize) -> Vec<usize> {
    (0..sizes).step_by(sizes.div_ceil(MAX_PLACES)).chain([sizes]).collect()
}

/// Returns the minimum slot size of each class: the default slot size of the class below it. Smaller classes would
/// leave no room for sizes that the recording has not seen.
fn min_slot_bytes(class: usize) -> usize {
    if class == 0 { 0 } else { DEFAULT_TABLE[class - 1].0 }
}

/// Whether no class has smaller slots than is usual one class below.
fn are_large(classes: &[ClassAdvice]) -> bool {
    classes.iter().enumerate().all(|(class, advice)| advice.slot_bytes >= min_slot_bytes(class))
}

/// Makes the classes of the groups, one for each bit of `used`, with headroom. The others are switched off. `None` if
/// one of those would take a size from a group.
fn placed(groups: &[Group], used: usize, unit: usize) -> Option<Vec<ClassAdvice>> {
    let mut groups = groups.iter().peekable();
    let mut classes: Vec<ClassAdvice> = Vec::with_capacity(CLASSES);
    for class in 0..CLASSES {
        let below = classes.last().map_or(0, |below| below.slot_bytes);
        let advice = if used & 1 << class != 0 {
            let &Group { slot_bytes, peak, .. } = groups.next()?;
            ClassAdvice { slot_bytes, slots: with_headroom(peak), peak, ..ClassAdvice::NONE }
        } else {
            let end = groups.peek().map(|group| group.lowest_size);
            let slot_bytes = spare_size(class, below, end, unit)?;
            // A floor above the slot size switches the class off.
            ClassAdvice { slot_bytes, slots: 1, floor: slot_bytes + 1, ..ClassAdvice::NONE }
        };
        classes.push(advice);
    }
    Some(classes)
}

/// Returns the slot size of a class that serves nothing: above the class below it, and too small for what the
/// group above it has, if there is one. That is the default size if possible.
fn spare_size(class: usize, below: usize, end: Option<usize>, unit: usize) -> Option<usize> {
    let default = DEFAULT_TABLE[class].0;
    let min = (below + 1).max(min_slot_bytes(class)).next_multiple_of(unit);
    match end {
        None => Some(min),
        Some(end) if (min..end).contains(&default) && default.is_multiple_of(unit) => Some(default),
        Some(end) => Some(min).filter(|&min| min < end),
    }
}

/// Sets the floors so that the classes serve nothing below `floor`.
fn with_floor(mut classes: Vec<ClassAdvice>, floor: usize) -> Vec<ClassAdvice> {
    let limited = classes.iter().take_while(|class| class.slot_bytes < floor).count() + 1;
    classes.iter_mut().take(limited).for_each(|class| class.floor = class.floor.max(floor));
    classes
}
