//! Tests of the printed table, to the letter, and of the arithmetic behind it.

use super::*;

fn sample() -> Stats {
    let class = |slot_bytes, slots, hits, misses, peak| ClassStats {
        slot_bytes,
        slots,
        hits,
        misses,
        peak,
        ..ClassStats::default()
    };
    Stats {
        classes: [
            class(1 << 10, 1024, 45_231, 12, 890),
            class(64 << 10, 64, 8_921, 3, 58),
            class(256 << 10, 32, 2_156, 89, 32),
            class(3_110_400, 64, 100, 0, 1),
        ],
        ..Stats::default()
    }
}

#[test]
fn the_table_prints_as_the_design_shows_it() {
    let table = "Small  (1 KiB): hits=45231 misses=12 peak=890/1024 (86.9%)\n\
                 Medium (64 KiB): hits=8921 misses=3 peak=58/64 (90.6%)\n\
                 Large  (256 KiB): hits=2156 misses=89 peak=32/32 (100.0%)\n\
                 XLarge (3110400 B): hits=100 misses=0 peak=1/64 (1.6%)\n\
                 Overall hit rate: 99.8%\n\
                 Pooled: n/a";
    assert_eq!(sample().to_string(), table);
    let named = sample().named("Video encoder pool").to_string();
    assert_eq!(named, format!("[buffer_pool] Video encoder pool statistics:\n{table}"));
    let unnamed = sample().named(None).to_string();
    assert_eq!(unnamed, format!("[buffer_pool] Global pool statistics:\n{table}"));
}

#[test]
fn bypasses_and_a_denied_reservation_have_a_line_each() {
    let mut stats = Stats { too_large: 2, reservation: Reservation::Failed(None), ..sample() };
    stats.classes[0].held_back = 3;
    let text = stats.to_string();
    assert!(text.contains("\nBypasses: too large=2 held back=3\n"), "{text}");
    assert!(text.contains("\nReservation denied: everything goes to the fallback\n"), "{text}");
}

#[test]
fn a_code_means_one_outcome_of_the_reservation() {
    let all: Vec<_> = (0..7).map(|code| Reservation::from_code(code).unwrap()).collect();
    assert!(all.iter().zip(0..).all(|(reservation, code)| reservation.code() == code), "{all:?}");
    assert_eq!((all[0], all[1]), (Reservation::Pending, Reservation::Ready));
    assert!([7, u64::MAX].map(Reservation::from_code).iter().all(Option::is_none));
}

#[test]
fn rates_count_hits_and_misses_only_and_start_at_zero() {
    let stats = Stats { too_large: 1_000, ..Stats::default() };
    assert_eq!((stats.hit_rate(), stats.miss_rate()), (0.0, 0.0));
    let large = sample().class(Class::Large);
    assert_eq!(large.miss_rate(), 89.0 / 2_245.0);
    assert_eq!(large.hit_rate(), 2_156.0 / 2_245.0);
}

#[test]
fn since_subtracts_counts_and_keeps_gauges() {
    let mut later = Stats { too_large: 7, memsets_done: 4, ..sample() };
    later.classes[1].hits += 5;
    later.classes[1].in_use = 9;
    let since = later.since(&sample());
    assert_eq!((since.hits(), since.misses(), since.bypassed(Bypass::TooLarge)), (5, 0, 7));
    assert_eq!((since.class(Class::Medium).in_use, since.class(Class::Medium).peak), (9, 58));
    assert_eq!(sample().since(&later).hits(), 0);
}
