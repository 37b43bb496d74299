//! The cheapest cut of the sizes that were seen into at most four classes.
//!
//! A class costs its slots, headroom included, times the slot size that its largest request needs. All cuts
//! are compared by the usual dynamic program over where the last class begins. Its steps grow with the square
//! of the number of places where a class may begin, of which there are at most [`MAX_PLACES`] or so.

use core::ops::Range;

use super::{ClassAdvice, table};
use crate::config::Config;
use crate::config::sizing::{slot_bytes_for, with_headroom};
use crate::slots::class::{CLASSES, SLOT_STEP};
use crate::stats::recording::{Profile, Seen, bin_of, lowest_size};
use crate::tunables::{DEFAULT_TABLE, GUARD_BYTES};

/// The number of sizes above which a class may begin only at one size in several.
const MAX_PLACES: usize = 256;

/// A class of which four may all be smaller than usual serves at least one byte in this many.
const BYTES_PER_SMALL_CLASS: u64 = 20;

/// Neighbouring sizes that share a class.
#[derive(Clone)]
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

/// The minimum cost, and the place where the last class begins, for each number of classes and each place where it
/// ends.
type Costs = Vec<Vec<(usize, usize)>>;

/// All cuts of some sizes, or of the smallest of them.
pub(super) struct Cuts<'a> {
    profile: &'a Profile,
    /// The sizes to be served, smallest first.
    served: &'a [&'a Seen],
    /// The size in bytes below which no class serves anything.
    floor: usize,
    /// Whether slots may lie in huge pages.
    huge_pages: bool,
    /// Where a class may begin or end.
    places: Vec<usize>,
    /// The costs for each unit of slot sizes that was tried, finest first.
    costs: Vec<Costs>,
}

impl<'a> Cuts<'a> {
    /// Prepares to cut `served`. A class may end at `end` in any case.
    pub(super) fn new(
        profile: &'a Profile,
        served: &'a [&'a Seen],
        end: usize,
        floor: usize,
        huge_pages: bool,
    ) -> Self {
        let step = served.len().div_ceil(MAX_PLACES).max(1);
        let mut places: Vec<_> = (0..served.len()).step_by(step).chain([end, served.len()]).collect();
        places.sort_unstable();
        places.dedup();
        Self { profile, served, floor, huge_pages, places, costs: Vec::new() }
    }

    /// Returns the cheapest table for the first `end` sizes, with large classes if possible. `None` if there is
    /// nothing to serve, or if no four classes have room for it. A class may end at `end`.
    ///
    /// Slot sizes that are multiples of a small unit make a large slot map, and its size is limited. So coarser
    /// units are tried too, until each number of classes has had a valid table.
    pub(super) fn best(&mut self, end: usize) -> Option<Cut> {
        if let Err(at) = self.places.binary_search(&end) {
            self.places.insert(at, end);
            self.costs.clear();
        }
        let mut best = None;
        for (log2, tried) in (SLOT_STEP.ilog2()..=GUARD_BYTES.ilog2()).zip(0..) {
            let unit = 1 << log2;
            if tried == self.costs.len() {
                self.costs.push(self.costs_of(unit));
            }
            let mut all_are_valid = true;
            for groups in self.cheapest(&self.costs[tried], end, unit) {
                let ranked = self.cheapest_table(&groups, unit);
                all_are_valid &= ranked.is_some();
                best = best.into_iter().chain(ranked).min_by_key(|(rank, _)| *rank);
            }
            if all_are_valid {
                break;
            }
        }
        best.map(|(_, cut)| cut)
    }

    /// Computes the costs of all cuts, with slots that are multiples of `unit`.
    fn costs_of(&self, unit: usize) -> Costs {
        let places = &self.places;
        let mut costs = vec![vec![(usize::MAX, 0); places.len()]; CLASSES + 1];
        costs[0][0] = (0, 0);
        for to in 1..places.len() {
            let mut align = unit;
            for from in (0..to).rev() {
                align = align.max(self.alignment(places[from]..places[from + 1]));
                let Group { slot_bytes, peak, .. } = self.group(places[from]..places[to], align);
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

    /// Returns the cheapest groups of the first `end` sizes for each number of classes, one to four, that has room.
    fn cheapest(&self, costs: &Costs, end: usize, unit: usize) -> Vec<Vec<Group>> {
        let last = self.places.partition_point(|&place| place < end);
        // From the last class down: each class begins where the one before it ends.
        let groups = |classes: usize| {
            let mut to = last;
            let groups = (1..=classes).rev().map(|classes| {
                let from = costs[classes][to].1;
                let sizes = self.places[from]..self.places[core::mem::replace(&mut to, from)];
                let align = self.alignment(sizes.clone()).max(unit);
                self.group(sizes, align)
            });
            let mut groups: Vec<_> = groups.collect();
            groups.reverse();
            groups
        };
        // Some numbers of classes have no room for the blocks that live at once.
        let is_possible = |&classes: &usize| last > 0 && costs[classes][last].0 < usize::MAX;
        (1..=CLASSES).filter(is_possible).map(groups).collect()
    }

    /// Returns the strictest alignment of any request of these sizes.
    fn alignment(&self, sizes: Range<usize>) -> usize {
        self.served[sizes].iter().map(|seen| seen.align).max().unwrap_or(1)
    }

    /// Makes one class for a run of sizes, with slots that are multiples of `unit`.
    fn group(&self, sizes: Range<usize>, unit: usize) -> Group {
        let (first, last) = (self.served[sizes.start], self.served[sizes.end - 1]);
        let group = Group { sizes, lowest_size: lowest_size(first.bin), slot_bytes: 0, peak: 0 };
        self.with_slots(group, slot_bytes_for(last.largest, unit, self.huge_pages))
    }

    /// Gives a group slots of this size. All sizes that have room there count in its peak, in the group or not.
    fn with_slots(&self, group: Group, slot_bytes: usize) -> Group {
        let peak = self.profile.max_at_once(bin_of(group.lowest_size)..bin_of(slot_bytes) + 1).max(1);
        Group { slot_bytes, peak, ..group }
    }

    /// Returns the best valid table that has a class for each of the groups.
    fn cheapest_table(&self, groups: &[Group], unit: usize) -> Option<(Rank, Cut)> {
        let may_be_small = self.all_earn(groups);
        // Each way to choose the classes that have a group, as bits.
        let ways = (0..1_usize << CLASSES).filter(|used| used.count_ones() as usize == groups.len());
        let tables = ways.filter_map(|used| {
            let groups = if may_be_small { groups.to_vec() } else { self.enlarged(groups, used) };
            placed(&self.with_shrunk(groups), used, unit)
        });
        let tables = tables.map(|classes| with_floor(classes, self.floor));
        let ranked = tables.filter(|classes| table(classes).validate().is_ok()).map(|classes| {
            let rank = (!may_be_small && !are_large(&classes), table(&classes).reserved_bytes());
            (rank, Cut { classes, largest: groups[groups.len() - 1].sizes.clone() })
        });
        ranked.min_by_key(|(rank, _)| *rank)
    }

    /// Whether there are four groups, and each is asked for a good share of the bytes.
    fn all_earn(&self, groups: &[Group]) -> bool {
        let bytes =
            |group: &Group| self.served[group.sizes.clone()].iter().map(|seen| seen.bytes).sum::<u64>();
        let all: u64 = groups.iter().map(bytes).sum();
        groups.len() == CLASSES && groups.iter().all(|group| bytes(group) >= all / BYTES_PER_SMALL_CLASS)
    }

    /// Gives the groups slots of the minimum size of their classes, one for each bit of `used`, where those take
    /// nothing from the group above.
    fn enlarged(&self, groups: &[Group], used: usize) -> Vec<Group> {
        let classes = (0..CLASSES).filter(|class| used & 1 << class != 0);
        let ends = groups.iter().skip(1).map(|above| above.lowest_size).chain([usize::MAX]);
        let enlarged = groups.iter().zip(classes).zip(ends).map(|((group, class), end)| {
            let min = min_slot_bytes(class);
            let group = group.clone();
            if (group.slot_bytes..end).contains(&min) { self.with_slots(group, min) } else { group }
        });
        enlarged.collect()
    }

    /// Adds blocks that shrank and may have stayed in the slot of a larger class. They count in each class above
    /// their own, up to the one that they may have come from, unless they are so small there that they leave.
    fn with_shrunk(&self, mut groups: Vec<Group>) -> Vec<Group> {
        for seen in self.profile.seen.iter().filter(|seen| seen.shrunk > 0) {
            let at_once = self.profile.max_at_once(seen.bin..seen.bin + 1).min(seen.shrunk);
            let smaller_than =
                |bytes: usize| groups.iter().take_while(|group| group.slot_bytes < bytes).count();
            let reached = smaller_than(seen.shrunk_from) + 1;
            // The class that has room for the new size counts the block already.
            let first = if seen.largest < self.floor { 0 } else { smaller_than(seen.largest) + 1 };
            let above = groups.iter_mut().take(reached).skip(first);
            above.filter(|group| seen.largest > group.slot_bytes / 4).for_each(|group| group.peak += at_once);
        }
        groups
    }
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
        let advice = if used & 1 << class != 0 {
            let &Group { slot_bytes, peak, .. } = groups.next()?;
            ClassAdvice { slot_bytes, slots: with_headroom(peak), peak, ..ClassAdvice::NONE }
        } else {
            // As small as may be, because a size that the run did not have is lost if it falls to this class.
            let below = classes.last().map_or(0, |below| below.slot_bytes);
            let slot_bytes = (below + 1).max(min_slot_bytes(class)).next_multiple_of(unit);
            if groups.peek().is_some_and(|above| slot_bytes >= above.lowest_size) {
                return None;
            }
            // A floor above the slot size switches the class off.
            ClassAdvice { slot_bytes, slots: 1, floor: slot_bytes + 1, ..ClassAdvice::NONE }
        };
        classes.push(advice);
    }
    Some(classes)
}

/// Sets the floors so that the classes serve nothing below `floor`.
fn with_floor(mut classes: Vec<ClassAdvice>, floor: usize) -> Vec<ClassAdvice> {
    let limited = classes.iter().take_while(|class| class.slot_bytes < floor).count() + 1;
    classes.iter_mut().take(limited).for_each(|class| class.floor = class.floor.max(floor));
    classes
}
