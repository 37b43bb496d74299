//! Tables for invented demands, each checked against the demand that it has to serve.

use core::alloc::Layout;
use std::alloc::System;

use super::*;
use crate::slots::class::CLASSES;

mod left_out;
mod told;

fn begin(recording: &Recording, layout: Layout) {
    recording.begin(layout);
    recording.found(layout, None);
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

fn new_recording(config: &Config) -> &'static Recording {
    Recording::new(config, &System).unwrap()
}

/// Returns the statistics of a run that was recorded there.
fn stats_of(recording: &'static Recording) -> Stats {
    let mut stats = Stats::default();
    stats.recording.0 = Some(recording);
    stats
}

/// Records blocks that all live at once, and repeats that until each size was requested often.
fn recorded(config: Config, demands: &[(usize, usize)]) -> (Stats, &'static Recording) {
    let recording = new_recording(&config);
    // A crowd makes enough requests in few rounds.
    let rounds = if demands.iter().any(|&(_, count)| count > 1_000) { 4 } else { 20 };
    for _ in 0..rounds {
        for &(size, count) in demands {
            (0..count).for_each(|_| begin(recording, layout(size)));
        }
        for &(size, count) in demands {
            (0..count).for_each(|_| recording.end(layout(size)));
        }
    }
    (stats_of(recording), recording)
}

fn advice(config: Config, demands: &[(usize, usize)]) -> Advice {
    let advice = recorded(config, demands).0.advice();
    if let Some(table) = advice.config() {
        assert_eq!(table.validate(), Ok(()), "{advice}");
        serves(&advice, demands);
    }
    advice
}

/// Checks that each class has slots for all blocks that go there at once.
fn serves(advice: &Advice, demands: &[(usize, usize)]) {
    let mut left: Vec<_> = advice.classes.iter().map(|class| class.slots).collect();
    for &(size, count) in demands {
        let class = advice.classes.iter().position(|class| size <= class.slot_bytes);
        let Some(class) = class.filter(|&class| size >= advice.classes[class].floor) else { continue };
        left[class] = left[class].checked_sub(count).unwrap_or_else(|| panic!("{size} bytes:\n{advice}"));
    }
}

/// Returns what is left out: the reason, the number of requests, and the largest.
fn left(advice: &Advice) -> Vec<(UnservedReason, u64, usize)> {
    advice.unserved.iter().map(|left| (left.reason, left.requests, left.largest)).collect()
}

/// Returns slot size and slots of the classes that serve something.
fn used(advice: &Advice) -> Vec<(usize, usize)> {
    let used = advice.classes.iter().filter(|class| class.peak > 0);
    used.map(|class| (class.slot_bytes, class.slots)).collect()
}

fn cut(advice: &Advice) -> Vec<(usize, usize)> {
    advice.classes.iter().map(|class| (class.slot_bytes, class.slots)).collect()
}

#[test]
fn four_sizes_get_a_class_each_with_one_slot_more_or_an_eighth() {
    let advice = advice(Config::new(), &[(1_000, 100), (40_000, 20), (388_800, 9), (1_382_400, 4)]);
    assert_eq!(cut(&advice), [(1_024, 112), (40_960, 23), (389_120, 11), (1_384_448, 5)]);
    let peaks: Vec<_> = advice.classes.iter().map(|class| class.peak).collect();
    assert_eq!(peaks, [100, 20, 9, 4]);
    assert_eq!((left(&advice), advice.served), (vec![], advice.requested));
}

#[test]
fn more_sizes_than_classes_share_them_where_that_costs_least() {
    let sizes = [(300, 10), (1_000, 10), (30_000, 10), (31_000, 10), (388_800, 9), (1_382_400, 9)];
    let advice = advice(Config::new(), &sizes);
    assert_eq!(cut(&advice), [(1_024, 23), (32_768, 23), (389_120, 11), (1_384_448, 11)]);
}

#[test]
fn fewer_sizes_than_classes_are_filled_up_with_classes_that_take_nothing() {
    let advice = advice(Config::new().hold_back(Class::Small, 0, 0), &[(60, 3), (1_382_400, 2)]);
    assert_eq!(cut(&advice), [(64, 4), (1_024, 1), (65_536, 1), (1_384_448, 3)]);
    let advice = self::advice(Config::new(), &[(1_382_400, 2)]);
    assert_eq!(cut(&advice), [(64, 1), (1_024, 1), (65_536, 1), (1_384_448, 3)]);
    // The classes that fill the table up are switched off, so no request gets their one slot.
    assert!(advice.classes[..3].iter().all(|class| class.floor > class.slot_bytes && class.floor >= 256));
    assert_eq!(advice.classes[3].floor, 0);
}

/// The crowds alternate, so one class with slots for one crowd serves both. A class of 128 bytes would take
/// one crowd out of it.
#[test]
fn a_class_that_is_only_there_to_make_four_takes_no_size_from_another() {
    let recording = new_recording(&Config::new().hold_back(Class::Small, 0, 0));
    for (size, count) in [(100, 100), (250, 100), (1_382_400, 1)].repeat(20) {
        let layout = layout(size);
        (0..count).for_each(|_| begin(recording, layout));
        (0..count).for_each(|_| recording.end(layout));
    }
    assert_eq!(cut(&stats_of(recording).advice()), [(256, 112), (1_024, 1), (65_536, 1), (1_384_448, 2)]);
}

#[test]
fn what_small_holds_slots_back_for_is_served_and_tiny_objects_are_not() {
    let advice = advice(Config::new(), &[(24, 5_000), (255, 100), (256, 7), (700, 7), (9_000, 3)]);
    // Sizes from 193 to 256 bytes are one step of the recording.
    assert_eq!(advice.classes[0].floor, 193);
    assert!(advice.findings.contains(&Finding::TinyObjects { below: 256, at_once: 5_000, slots: 1_024 }));
    let unheld = Config::new().hold_back(Class::Small, 0, 0);
    assert_eq!(self::advice(unheld, &[(24, 10), (700, 7)]).classes[0].floor, 0, "few are welcome");
    assert_eq!(self::advice(unheld, &[(24, 600), (700, 7)]).classes[0].floor, 256);
    let floor = Config::new().floor(Class::Small, 400);
    assert_eq!(self::advice(floor, &[(24, 600), (300, 7), (700, 7)]).classes[0].floor, 400);
}

#[test]
fn larger_sizes_get_a_class_if_they_come_and_go_and_the_rest_is_told() {
    let (come_and_go, once) = ((2_764_800, 3), (16_777_216, 1));
    let (stats, recording) = recorded(Config::new(), &[(1_000, 10), come_and_go]);
    begin(recording, layout(once.0));
    let advice = stats.advice();
    assert_eq!(advice.classes[3], ClassAdvice { slot_bytes: 2_764_800, slots: 4, floor: 0, peak: 3 });
    assert!(advice.findings.contains(&Finding::FitsNoClass { bytes: 2_764_800, requests: 60, wanted: 3 }));
    assert_eq!(left(&advice), [(UnservedReason::Rare, 1, 16_777_216)]);
}

#[test]
fn alignment_makes_for_slots_that_have_it() {
    let recording = new_recording(&Config::new());
    let layout = Layout::from_size_align(10_000, 4_096).unwrap();
    (0..20).for_each(|_| {
        begin(recording, layout);
        recording.end(layout);
    });
    assert_eq!(used(&stats_of(recording).advice()), [(12_288, 2)]);
}

#[test]
fn a_table_too_fine_for_its_slot_map_is_cut_coarser() {
    // The sizes are 64 bytes apart, and the slots so few that guard pages and slot map would outweigh them.
    let advice = advice(Config::new(), &[(320, 2), (448, 2), (576, 2)]);
    assert!(advice.config().is_some(), "{advice}");
}

#[test]
fn more_at_once_than_a_class_may_have_go_to_the_fallback() {
    let recording = new_recording(&Config::new());
    (0..120_000).for_each(|_| begin(recording, layout(400)));
    (0..20).for_each(|_| begin(recording, layout(5_000)));
    let advice = stats_of(recording).advice();
    assert_eq!(advice.config().unwrap().validate(), Ok(()));
    assert_eq!(used(&advice), [(5_120, 23)]);
    assert_eq!(left(&advice), [(UnservedReason::Crowded, 120_000, 400)]);
}

/// A class has room for one of these crowds, but not for two. So three crowds need three classes, and five
/// have no room in four. (The third class has slots of 64 KiB, which is 4 GiB.)
#[cfg(target_pointer_width = "64")]
#[test]
fn not_every_number_of_classes_has_room() {
    let advice = advice(Config::new(), &[(400, 60_000), (800, 60_000), (1_600, 60_000)]);
    assert_eq!(advice.classes.iter().filter(|class| class.slots == 67_200).count(), 3, "{advice}");
    let crowds = [(400, 60_000), (800, 60_000), (1_600, 60_000), (3_200, 60_000), (6_400, 60_000)];
    let advice = self::advice(Config::new(), &crowds);
    assert_eq!(advice.config(), None, "no four classes have room for all");
}

// Such sizes need 64 bits.
#[cfg(target_pointer_width = "64")]
#[test]
fn nothing_makes_a_table_absurd() {
    let advice = advice(Config::new(), &[(1_000, 10), (1 << 45, 2)]);
    assert!(advice.config().is_some() && advice.reserved_bytes() < 1 << 20, "{advice}");
    assert_eq!(left(&advice), [(UnservedReason::Huge, 40, 1 << 45)]);
}

/// Slots are rounded up, so the larger of two sizes may have room in the class of the smaller size.
#[test]
fn sizes_count_where_they_have_room() {
    let advice = advice(Config::new(), &[(4_097, 16), (4_200, 3), (5_000, 1)]);
    assert!(advice.classes.iter().all(|class| class.slot_bytes != 4_352 || class.peak >= 19), "{advice}");
    // Rare sizes count too: 20,000 bytes are rare, but they fit the slots of 20,480 that 17,000 bytes ask
    // for.
    let recording = new_recording(&Config::new());
    (0..10).for_each(|_| begin(recording, layout(20_000)));
    for _ in 0..100 {
        (0..4).for_each(|_| begin(recording, layout(17_000)));
        (0..4).for_each(|_| recording.end(layout(17_000)));
    }
    let advice = stats_of(recording).advice();
    assert_eq!((cut(&advice)[1], advice.classes[1].peak, left(&advice)), ((20_480, 16), 14, vec![]));
}

#[test]
fn one_layout_that_is_aligned_more_than_it_is_large_does_not_inflate_the_others() {
    let recording = new_recording(&Config::new());
    let (crowd, one) =
        (Layout::from_size_align(1_000, 8).unwrap(), Layout::from_size_align(1_000, 2 << 20).unwrap());
    begin(recording, one);
    for _ in 0..20 {
        (0..500).for_each(|_| begin(recording, crowd));
        (0..500).for_each(|_| recording.end(crowd));
    }
    let advice = stats_of(recording).advice();
    assert_eq!(used(&advice), [(1_024, 560), (2 << 20, 2)], "{advice}");
    assert_eq!(left(&advice), []);
}

/// A block that shrinks may keep its slot.
#[test]
fn what_shrank_counts_in_every_class_that_it_may_be_in() {
    let recording = new_recording(&Config::new());
    for _ in 0..40 {
        begin(recording, layout(60_000));
        recording.resize(layout(60_000), layout(20_000));
    }
    let advice = stats_of(recording).advice();
    let last = advice.classes.iter().rfind(|class| class.peak > 0).unwrap();
    assert!(last.slot_bytes >= 60_000 && last.peak >= 41, "{advice}");
    // A block below the floor counts too.
    let recording = new_recording(&Config::new().floor(Class::Small, 400));
    for _ in 0..300 {
        begin(recording, layout(1_000));
        recording.resize(layout(1_000), layout(300));
    }
    let advice = stats_of(recording).advice();
    let last = advice.classes.iter().rfind(|class| class.peak > 0).unwrap();
    assert!(last.slot_bytes == 1_024 && last.peak >= 301, "{advice}");
}

/// The recording has the frees of blocks that were allocated while the pools were being reserved, but not
/// their allocations.
#[test]
fn blocks_that_a_start_missed_are_added() {
    let (mut stats, _) = recorded(Config::new(), &[(1_382_400, 4)]);
    stats.starting = 2;
    assert_eq!(stats.advice().classes[3].peak, 6);
}

/// Blocks come and go at random. A class of the advised table never has more blocks than slots, even without
/// headroom.
#[test]
fn whatever_the_order_no_class_needs_more_than_its_peak() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % n
    };
    for _ in 0..20 {
        let recording = new_recording(&Config::new());
        let magnitudes: Vec<_> = (0..12).map(|_| 1 << (8 + below(13))).collect();
        let sizes: Vec<usize> = magnitudes.into_iter().map(|magnitude| 256 + below(magnitude)).collect();
        let (mut live, mut steps) = (Vec::new(), Vec::new());
        for _ in 0..2_000 {
            if live.is_empty() || below(100) < 52 && live.len() < 60 {
                let size = sizes[below(sizes.len())];
                begin(recording, layout(size));
                live.push(size);
                steps.push((size, true));
            } else {
                let size = live.swap_remove(below(live.len()));
                recording.end(layout(size));
                steps.push((size, false));
            }
        }
        let advice = stats_of(recording).advice();
        let mut in_use = [0_usize; CLASSES];
        for (size, is_born) in steps {
            let class = advice.classes.iter().position(|class| size <= class.slot_bytes).unwrap();
            in_use[class] = if is_born { in_use[class] + 1 } else { in_use[class] - 1 };
            assert!(in_use[class] <= advice.classes[class].peak, "{size} bytes:\n{advice}");
        }
    }
}

#[test]
fn no_class_is_smaller_than_the_one_below_it_usually_is_unless_four_pay() {
    let classes = |sizes: &[(usize, usize)]| {
        let advice = advice(Config::new(), sizes);
        let sizes = advice.classes.iter().map(|class| class.slot_bytes).collect::<Vec<_>>();
        (sizes, advice)
    };
    // Four sizes below 64 KiB that share the bytes evenly.
    let (sizes, _) = classes(&[(1_000, 64), (4_000, 16), (16_000, 8), (38_016, 4)]);
    assert_eq!(sizes, [1_024, 4_096, 16_128, 40_960]);
    // One of them has hardly any bytes.
    let (sizes, advice) = classes(&[(1_000, 10), (4_000, 16), (16_000, 8), (38_016, 4)]);
    let min = [0, 1 << 10, 64 << 10, 256 << 10];
    assert!(sizes.iter().zip(min).all(|(&size, min)| size >= min), "{advice}");
    assert_eq!(advice.served, advice.requested, "{advice}");
}

#[test]
fn slots_share_no_cache_sets_unless_they_may_lie_in_huge_pages() {
    let demands = [(65_536, 3), (4 << 20, 8)];
    assert_eq!(used(&advice(Config::new(), &demands)), [(69_632, 4), ((4 << 20) + 4_096, 9)]);
    assert_eq!(used(&advice(Config::new().huge_pages(true), &demands)), [(65_536, 4), (4 << 20, 9)]);
}

/// Records the demand with the advised table of another one, as a user does who starts from an advised table.
#[test]
fn an_advised_table_is_advised_again_or_a_smaller_one() {
    for demands in [
        &[(24, 5_000), (700, 300), (40_000, 20), (388_800, 9), (3_110_400, 4)][..],
        &[(1_382_400, 2)],
        &[(24, 5_000), (700, 600)],
        &[(100, 30), (5_000, 7)],
        &[(300, 20), (900, 40), (1_382_400, 4)],
    ] {
        let first = advice(Config::new(), demands);
        let second = advice(first.config().unwrap(), demands);
        assert!(second.reserved_bytes() <= first.reserved_bytes(), "{first}\n{second}");
        assert!(second.served.requests >= first.served.requests, "{first}\n{second}");
    }
}

/// A block that shrinks to a quarter of its slot leaves it.
#[test]
fn what_shrank_to_little_has_left_its_slot() {
    let recording = new_recording(&Config::new());
    for _ in 0..20_000 {
        begin(recording, layout(65_536));
        recording.resize(layout(65_536), layout(100));
    }
    let advice = stats_of(recording).advice();
    assert!(advice.reserved_bytes() < 1 << 20, "{advice}");
}

#[test]
fn few_requests_of_a_class_do_not_take_the_slots_of_a_much_larger_one() {
    let advice = advice(Config::new(), &[(300, 60_000), (900, 40), (1_382_400, 4)]);
    let expected = [(320, 67_200), (1_024, 45), (1_384_448, 5)];
    assert_eq!(used(&advice), expected, "{advice}");
}

#[test]
fn four_clusters_of_many_sizes_get_a_class_each() {
    let recording = new_recording(&Config::new());
    let clusters = [(600, 40), (30_000, 20), (400_000, 10), (9_000_000, 5)];
    for n in 0..120 {
        for (size, at_once) in clusters {
            let layout = layout(size + size * n / 400);
            (0..at_once).for_each(|_| begin(recording, layout));
        }
        for (size, at_once) in clusters {
            let layout = layout(size + size * n / 400);
            (0..at_once).for_each(|_| recording.end(layout));
        }
    }
    let advice = stats_of(recording).advice();
    let needed: usize = clusters.iter().map(|(size, at_once)| size * 13 / 10 * at_once).sum();
    assert!(advice.reserved_bytes() <= needed * 13 / 10, "{needed} {advice}");
    assert_eq!((left(&advice), advice.served), (vec![], advice.requested));
}
