//! The cheapest cut of the sizes that were seen into at most four classes.
//!
//! A class costs the slots that it needs, with headroom, times the size of its largest request. All cuts are compared, by the usual dynamic
//! program over where the last class begins: the square of the number of bins, which is some thousand steps for most programs.

use core::ops::Range;

use super::{ClassAdvice, with_headroom};
use crate::config::{CLASSES, Class, Config, SLOT_STEP};
use crate::recording::{Profile, Seen, bin_of};
use crate::tunables::GUARD_BYTES;

/// Neighbouring bins that share a class.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    bins: Range<usize>,
    slot_bytes: usize,
    /// The most blocks that lived at once, or more.
    peak: usize,
}

/// The classes that `served`, smallest first, needs. None if there is nothing to serve.
///
/// Slots that are multiples of little make for a large slot map, and there is a limit to that; so the finest cut is taken that keeps it.
pub(super) fn cut(profile: &Profile, served: &[&Seen]) -> Vec<ClassAdvice> {
    let units = (SLOT_STEP.ilog2()..=GUARD_BYTES.ilog2()).map(|log2| 1 << log2);
    let mut cuts = units.map(|unit| filled(&cheapest(profile, served, unit), unit));
    cuts.find(|classes| makes_sense(classes)).unwrap_or_default()
}

/// Four classes, if there is a group.
fn filled(groups: &[Group], unit: usize) -> Vec<ClassAdvice> {
    let class = |group: &Group| ClassAdvice {
        slot_bytes: group.slot_bytes,
        slots: with_headroom(group.peak),
        floor: 0,
        peak: group.peak,
    };
    let mut classes: Vec<_> = groups.iter().map(class).collect();
    while !classes.is_empty() && classes.len() < CLASSES {
        let slot_bytes = spare_size(groups, &classes, unit);
        classes.push(ClassAdvice { slot_bytes, slots: 1, floor: 0, peak: 0 });
        classes.sort_by_key(|class| class.slot_bytes);
    }
    classes
}

fn makes_sense(classes: &[ClassAdvice]) -> bool {
    let with = |config: Config, (class, advice): (Class, &ClassAdvice)| {
        config.class(class, advice.slot_bytes, advice.slots).hold_back(class, 0, 0)
    };
    Class::ALL.into_iter().zip(classes).fold(Config::new(), with).validate().is_ok()
}

fn cheapest(profile: &Profile, served: &[&Seen], unit: usize) -> Vec<Group> {
    let group = |from: usize, to: usize| {
        let seen = &served[from..to];
        let bins = seen[0].bin..seen[seen.len() - 1].bin + 1;
        let largest = seen.iter().map(|seen| seen.largest).max().unwrap_or_default();
        let align = seen.iter().map(|seen| seen.align).max().unwrap_or(1);
        let peak = profile.most_at_once(bins.clone()).max(1);
        Group { bins, slot_bytes: largest.max(1).next_multiple_of(step(largest).max(unit).max(align)), peak }
    };
    // For each number of classes and of sizes served: what that costs, and where the last class begins.
    let mut costs = vec![vec![(usize::MAX, 0); served.len() + 1]; CLASSES + 1];
    costs[0][0] = (0, 0);
    for to in 1..=served.len() {
        for from in 0..to {
            let Group { slot_bytes, peak, .. } = group(from, to);
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
    let best = (0..=CLASSES).min_by_key(|&classes| costs[classes][served.len()].0).unwrap_or_default();
    let mut groups = Vec::new();
    let mut to = served.len();
    for classes in (1..=best).rev() {
        let from = costs[classes][to].1;
        groups.push(group(from, to));
        to = from;
    }
    groups.reverse();
    groups
}

/// What slots of about so many bytes are rounded up to: a page where that is little, so that they can be trimmed one by one.
fn step(bytes: usize) -> usize {
    match bytes {
        ..4_096 => SLOT_STEP,
        4_096..16_384 => 256,
        _ => 4_096,
    }
}

/// The smallest size for a class that is only there to make four: it takes nothing that another is meant to serve.
fn spare_size(groups: &[Group], classes: &[ClassAdvice], unit: usize) -> usize {
    let is_free = |size: &usize| classes.iter().all(|class| class.slot_bytes != *size);
    let takes_nothing = |size: &usize| {
        let below = classes.iter().map(|class| class.slot_bytes).filter(|bytes| bytes < size).max();
        let bins = bin_of(below.unwrap_or(0) + 1)..bin_of(*size) + 1;
        groups.iter().all(|group| group.bins.end <= bins.start || bins.end <= group.bins.start)
    };
    let mut sizes = (1..).map(|n| n * unit);
    sizes.find(|size| is_free(size) && takes_nothing(size)).unwrap_or(unit)
}
