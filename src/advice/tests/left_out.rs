//! Sizes that a table leaves out, and those that it serves although each is rare.

use super::*;

/// Sizes of which no two are alike, so that none is asked for often.
fn varied(sizes: impl Iterator<Item = usize>, at_once: usize) -> Advice {
    let advice = varied_or_none(sizes, at_once);
    assert!(advice.config().is_none_or(|config| config.validate().is_ok()), "{advice}");
    advice
}

fn varied_or_none(sizes: impl Iterator<Item = usize>, at_once: usize) -> Advice {
    let recording = new_recording(&Config::new());
    let layouts: Vec<_> = sizes.map(layout).collect();
    for layouts in layouts.chunks(at_once) {
        layouts.iter().for_each(|&layout| begin(recording, layout));
        layouts.iter().for_each(|&layout| recording.end(layout));
    }
    stats_of(recording).advice()
}

#[test]
fn sizes_of_which_each_is_rare_are_worth_a_slot_together() {
    let advice = varied((0..900).map(|n| 100_000 + n * 2_110), 1);
    assert_eq!((left(&advice), advice.served), (vec![], advice.requested));
    assert!(advice.reserved_bytes() <= 12 << 20, "{advice}");
    // Pictures, half of them larger than a slot.
    let advice = varied((0..900).map(|n| 20_000 + n * 4_700), 3);
    assert_eq!((left(&advice), advice.served), (vec![], advice.requested));
    assert!(advice.findings.iter().any(|finding| matches!(finding, Finding::FitsNoClass { .. })), "{advice}");
}

#[test]
fn what_the_default_table_has_room_for_is_served_however_rare_it_is() {
    let advice = varied([1_000, 50_000, 100_000, 200_000, 2 << 20].into_iter(), 1);
    assert_eq!((left(&advice), advice.served), (vec![], advice.requested));
}

#[test]
fn larger_classes_are_left_out_with_the_reason_in_peak_and_memory() {
    let often = (0..300).map(|_| 3_110_400);
    let advice = varied(often.clone().chain([64 << 20]), 12);
    assert_eq!(left(&advice), [(UnservedReason::Rare, 1, 64 << 20)]);
    assert_eq!((used(&advice), advice.served.requests), (vec![(3_112_960, 14)], 300));
    assert_eq!(
        advice.unserved[0].to_string(),
        "1 request of 67,108,864 bytes (64.0 MiB together), at most 1 at once (64.0 MiB): in classes of fewer than 16 requests"
    );
    let text = advice.to_string();
    assert!(
        text.contains("would have served 99.6% of 301 requests and 93.2% of 953.9 MiB without a miss"),
        "{text}"
    );
    // Blocks that stay: 40 at once, and no more than these.
    let (stats, recording) = recorded(Config::new(), &[]);
    (0..40).for_each(|_| begin(recording, layout(5 << 20)));
    for _ in 0..20 {
        (0..12).for_each(|_| begin(recording, layout(3_110_400)));
        (0..12).for_each(|_| recording.end(layout(3_110_400)));
    }
    let advice = stats.advice();
    assert_eq!(left(&advice), [(UnservedReason::LongLived, 40, 5 << 20)], "{advice}");
}

/// The two largest sizes are too rare for slots of 6 MiB. One of them has room in the slots that are left.
#[test]
fn what_was_left_out_is_served_where_slots_have_room_for_it() {
    let often = (0..300).map(|_| 3 << 20);
    let advice = varied(often.chain([(3 << 20) + 3_000, 6 << 20]), 1);
    assert_eq!(left(&advice), [(UnservedReason::Rare, 1, 6 << 20)], "{advice}");
    assert_eq!(advice.requested.requests - advice.served.requests, 1);
}

/// A request that lives alone shares a class with all others that do. That does not make their slots as large.
#[test]
fn one_huge_request_among_many_sizes_does_not_make_all_slots_huge() {
    let last = bin_of(3 << 20);
    let often = (last - 596..=last).flat_map(|bin| [lowest_size(bin + 1) - 1; 16]);
    let advice = varied(often.chain([500 << 20, 600 << 20]), 1);
    assert_eq!(left(&advice), [(UnservedReason::Rare, 2, 600 << 20)], "{advice}");
    assert!(advice.reserved_bytes() < 8 << 20, "{advice}");
}

/// A hold-back or a floor of the run's table does not leave out what the default table serves.
#[test]
fn the_table_of_the_run_does_not_decide_what_is_tiny() {
    let large_small = Config::new().class(Class::Small, 65_536, 64).class(Class::Medium, 131_072, 32);
    let demands = [(1_000, 20), (12_000, 20), (388_800, 3)];
    let of_large = advice(large_small, &demands);
    assert_eq!((left(&of_large), of_large.served), (vec![], of_large.requested));
    let switched_off = Config::new().floor(Class::Small, 1_025).hold_back(Class::Small, 0, 0);
    let of_off = advice(switched_off, &demands);
    assert_eq!((left(&of_off), of_off.served), (vec![], of_off.requested));
}

/// Blocks of 200 bytes and of 256 are one step of the recording, and so are both served.
#[test]
fn a_step_of_sizes_is_served_as_a_whole_or_not_at_all() {
    let advice = advice(Config::new(), &[(200, 300), (256, 1), (1_000_000, 2)]);
    assert_eq!((left(&advice), advice.served), (vec![], advice.requested));
    assert!(advice.classes[0].floor <= 200 && advice.classes[0].slots >= 301, "{advice}");
    // What a floor leaves out is not counted as served because its alignment is strict.
    let recording = new_recording(&Config::new());
    for (size, align) in [(100, 4_096), (700, 8)].repeat(20) {
        let layout = Layout::from_size_align(size, align).unwrap();
        begin(recording, layout);
        recording.end(layout);
    }
    let advice = stats_of(recording).advice();
    assert_eq!((advice.served.requests, advice.requested.requests), (20, 40), "{advice}");
}

#[test]
fn sixteen_requests_are_many_and_fifteen_are_not() {
    assert_eq!(left(&varied((0..15).map(|_| 3 << 20), 1)), [(UnservedReason::Rare, 15, 3 << 20)]);
    assert_eq!(left(&varied((0..16).map(|_| 3 << 20), 1)), []);
    // Without anything else there is no table, and the reason is told.
    let advice = varied_or_none((0..40).map(|_| 3 << 20), 40);
    assert_eq!((advice.config(), left(&advice)), (None, vec![(UnservedReason::LongLived, 40, 3 << 20)]));
    // A table that has room for even larger ones goes on to have it.
    if usize::BITS == 64 {
        let huge = Config::new().class(Class::XLarge, 3 << 30, 2);
        assert_eq!(left(&self::advice(huge, &[(3_000_000_000, 1)])), []);
    }
}
