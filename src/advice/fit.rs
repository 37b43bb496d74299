//! The cheapest cut of the sizes that were seen into at most four classes.
//!
//! A class costs its slots, headroom included, times the slot size that its largest request needs. All cuts
//! are compared by the usual dynamic program over where the last class begins. Its steps grow with the square
//! of the number of bins in use: several thousand for most programs.

use super::{ClassAdvice, table};
use crate::config::Config;
use crate::config::sizing::{step, with_headroom};
use crate::slots::class::{CLASSES, SLOT_STEP};
use crate::stats::recording::{Profile, Seen, bin_of, lowest_size};
use crate::tunables::GUARD_BYTES;

/// Neighbouring bins that share a class.
struct Group {
    /// The smallest size that may have been asked for.
    lowest_size: usize,
    slot_bytes: usize,
    /// The maximum number of blocks that lived at once, or an upper bound of it.
    peak: usize,
}

/// Returns the classes that serve the sizes `served`; both are smallest first. Empty if there is nothing to
/// serve, or if no four classes have room for it.
///
/// Slot sizes that are multiples of a small unit make a large slot map, and its size is limited. So the
/// finest unit is taken whose table is valid.
pub(super) fn cut(profile: &Profile, served: &[&Seen], floor: usize) -> Vec<ClassAdvice> {
    let of_unit = |unit: usize| {
        let cuts = cheapest(profile, served, unit).into_iter();
        let cuts = cuts.map(|groups| filled(with_shrunk(groups, profile, floor), unit));
        let cuts = cuts.map(|classes| with_floor(classes, floor));
        let cuts = cuts.filter(|classes| table(classes).validate().is_ok());
        cuts.min_by_key(|classes| table(classes).reserved_bytes())
    };
    let units = (SLOT_STEP.ilog2()..=GUARD_BYTES.ilog2()).map(|log2| 1 << log2);
    if served.is_empty() { Vec::new() } else { units.into_iter().find_map(of_unit).unwrap_or_default() }
}

/// Adds blocks that shrank and may have stayed in the slot of a larger class. They count in each class above
/// their own, up to the one that they may have come from.
fn with_shrunk(mut groups: Vec<Group>, profile: &Profile, floor: usize) -> Vec<Group> {
    for seen in profile.seen.iter().filter(|seen| seen.shrunk > 0) {
        let at_once = profile.max_at_once(seen.bin..seen.bin + 1).min(seen.shrunk);
        let smaller_than = |bytes: usize| groups.iter().take_while(|group| group.slot_bytes < bytes).count();
        let reached = smaller_than(seen.shrunk_from) + 1;
        // The class that has room for the new size counts the block already.
        let first = if seen.largest < floor { 0 } else { smaller_than(seen.largest) + 1 };
        groups.iter_mut().take(reached).skip(first).for_each(|group| group.peak += at_once);
    }
    groups
}

/// Adds headroom, and fills the classes up to four.
fn filled(groups: Vec<Group>, unit: usize) -> Vec<ClassAdvice> {
    let class = |group: &Group| ClassAdvice {
        slot_bytes: group.slot_bytes,
        slots: with_headroom(group.peak),
        floor: 0,
        peak: group.peak,
    };
    let mut classes: Vec<_> = groups.iter().map(class).collect();
    while classes.len() < CLASSES {
        let slot_bytes = spare_size(&groups, &classes, unit);
        // The floor above the slot size switches this class off.
        classes.push(ClassAdvice { slot_bytes, slots: 1, floor: slot_bytes + 1, peak: 0 });
        classes.sort_by_key(|class| class.slot_bytes);
    }
    classes
}

/// Sets the floors so that the classes serve nothing below `floor`.
fn with_floor(mut classes: Vec<ClassAdvice>, floor: usize) -> Vec<ClassAdvice> {
    let limited = classes.iter().take_while(|class| class.slot_bytes < floor).count() + 1;
    classes.iter_mut().take(limited).for_each(|class| class.floor = class.floor.max(floor));
    classes
}

/// Returns the cheapest groups for each number of classes, one to four, that has room.
fn cheapest(profile: &Profile, served: &[&Seen], unit: usize) -> Vec<Vec<Group>> {
    let costs = costs(profile, served, unit);
    // From the last class down: each class begins where the one before it ends.
    let groups = |classes: usize| {
        let mut to = served.len();
        let groups = (1..=classes).rev().map(|classes| {
            let from = costs[classes][to].1;
            let run = &served[from..core::mem::replace(&mut to, from)];
            let unit = run.iter().map(|seen| seen.align).fold(unit, usize::max);
            group(profile, run[0], run[run.len() - 1], unit)
        });
        let mut groups: Vec<_> = groups.collect();
        groups.reverse();
        groups
    };
    // Some numbers of classes have no room for the blocks that live at once.
    let is_possible = |&classes: &usize| costs[classes][served.len()].0 < usize::MAX;
    (1..=CLASSES).filter(is_possible).map(groups).collect()
}

/// Returns the minimum cost, and where the last class begins, for each number of classes and of sizes served
/// (smallest first).
fn costs(profile: &Profile, served: &[&Seen], unit: usize) -> Vec<Vec<(usize, usize)>> {
    let mut costs = vec![vec![(usize::MAX, 0); served.len() + 1]; CLASSES + 1];
    costs[0][0] = (0, 0);
    for to in 1..=served.len() {
        let mut unit = unit;
        for from in (0..to).rev() {
            unit = unit.max(served[from].align);
            let Group { slot_bytes, peak, .. } = group(profile, served[from], served[to - 1], unit);
            let slots = with_headroom(peak);
            let cost = if slots > Config::MAX_SLOTS { usize::MAX } else { slot_bytes.saturating_mul(slots) };
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

/// Makes one class for a run of sizes, with slots that are multiples of `unit`.
fn group(profile: &Profile, first: &Seen, last: &Seen, unit: usize) -> Group {
    let slot_bytes = last.largest.next_multiple_of(step(last.largest).max(unit));
    // All sizes that have room there count, in the run or not.
    let peak = profile.max_at_once(first.bin..bin_of(slot_bytes) + 1).max(1);
    Group { lowest_size: lowest_size(first.bin), slot_bytes, peak }
}

/// Returns the smallest size for a class that only fills the table up to four. The class takes no size that
/// another class is meant to serve.
fn spare_size(groups: &[Group], classes: &[ClassAdvice], unit: usize) -> usize {
    let takes_nothing = |size: &usize| {
        let below = classes.iter().map(|class| class.slot_bytes).filter(|bytes| bytes < size).max();
        let is_clear = |group: &Group| group.slot_bytes <= below.unwrap_or(0) || *size < group.lowest_size;
        groups.iter().all(is_clear) && classes.iter().all(|class| class.slot_bytes != *size)
    };
    // At the bottom, or above one of the classes. Above the last class there is always room.
    let behind = classes.iter().map(|class| (class.slot_bytes + 1).next_multiple_of(unit));
    [unit].into_iter().chain(behind).find(takes_nothing).unwrap_or(unit)
}
