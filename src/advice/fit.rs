//! The cheapest cut of the sizes that were seen into at most four classes.
//!
//! A class costs the slots that it needs, with headroom, times the size of its largest request. All cuts are compared, by the usual dynamic
//! program over where the last class begins: the square of the number of bins, which is some thousand steps for most programs.

use core::ops::RangeInclusive;

use super::{ClassAdvice, with_headroom};
use crate::config::{CLASSES, Class, Config, SLOT_STEP};
use crate::recording::{Profile, Seen, lowest_size};
use crate::tunables::GUARD_BYTES;

/// Neighbouring bins that share a class.
struct Group {
    /// Those that may have been asked for.
    sizes: RangeInclusive<usize>,
    slot_bytes: usize,
    /// The most blocks that lived at once, or more.
    peak: usize,
}

/// The classes that `served`, smallest first, needs. None if there is nothing to serve.
///
/// Slots that are multiples of little make for a large slot map, and there is a limit to that; so the finest cut is taken that keeps it.
pub(super) fn cut(profile: &Profile, served: &[&Seen]) -> Vec<ClassAdvice> {
    let cost = |classes: &Vec<ClassAdvice>| -> usize {
        classes
            .iter()
            .map(|class| class.slot_bytes.saturating_mul(class.slots))
            .fold(0, usize::saturating_add)
    };
    let of_unit = |unit: usize| {
        let cuts = cheapest(profile, served, unit).into_iter().map(|groups| filled(&groups, unit));
        cuts.filter(|classes| makes_sense(classes)).min_by_key(cost)
    };
    let units = (SLOT_STEP.ilog2()..=GUARD_BYTES.ilog2()).map(|log2| 1 << log2);
    if served.is_empty() { Vec::new() } else { units.into_iter().find_map(of_unit).unwrap_or_default() }
}

/// Four classes.
fn filled(groups: &[Group], unit: usize) -> Vec<ClassAdvice> {
    let class = |group: &Group| ClassAdvice {
        slot_bytes: group.slot_bytes,
        slots: with_headroom(group.peak),
        floor: 0,
        peak: group.peak,
    };
    let mut classes: Vec<_> = groups.iter().map(class).collect();
    while classes.len() < CLASSES {
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

/// For each number of classes, one to four, what they serve if that costs least.
fn cheapest(profile: &Profile, served: &[&Seen], unit: usize) -> Vec<Vec<Group>> {
    let group_with = |from: usize, to: usize, align: usize| {
        let (first, last) = (&served[from], &served[to - 1]);
        let slot_bytes = last.largest.next_multiple_of(step(last.largest).max(unit).max(align));
        let peak = profile.most_at_once(first.bin..last.bin + 1).max(1);
        Group { sizes: lowest_size(first.bin)..=last.largest, slot_bytes, peak }
    };
    // For each number of classes and of sizes served: what that costs, and where the last class begins.
    let mut costs = vec![vec![(usize::MAX, 0); served.len() + 1]; CLASSES + 1];
    costs[0][0] = (0, 0);
    for to in 1..=served.len() {
        let mut align = 1;
        for from in (0..to).rev() {
            align = align.max(served[from].align);
            let Group { slot_bytes, peak, .. } = group_with(from, to, align);
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
    let group = |(from, to): (usize, usize)| {
        let align = served[from..to].iter().map(|seen| seen.align).max().unwrap_or(1);
        group_with(from, to, align)
    };
    let groups = |classes: usize| {
        let ends = (1..=classes).rev().scan(served.len(), |to, classes| {
            let (from, end) = (costs[classes][*to].1, *to);
            *to = from;
            Some((from, end))
        });
        let mut groups: Vec<_> = ends.map(group).collect();
        groups.reverse();
        groups
    };
    // Not every number of classes has room for what lives at once.
    let is_possible = |&classes: &usize| costs[classes][served.len()].0 < usize::MAX;
    (1..=CLASSES).filter(is_possible).map(groups).collect()
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
        groups.iter().all(|group| *group.sizes.end() <= below.unwrap_or(0) || size < group.sizes.start())
    };
    // Ends: beyond all groups.
    let mut sizes = (1..).map(|n| n * unit);
    sizes.find(|size| is_free(size) && takes_nothing(size)).unwrap_or(unit)
}
