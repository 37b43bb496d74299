//! The findings, and the text of the advice.

use super::*;

#[test]
fn every_way_to_be_cut_wrongly_is_found() {
    let demands = [(1_000, 800), (65_537, 20), (388_800, 9), (700_000, 2)];
    let (mut stats, recording) = recorded(Config::new(), &demands);
    for (class, wanted) in [(0, 800), (2, 20), (3, 11)] {
        (0..wanted).for_each(|_| recording.occupy(Some(class)));
    }
    stats.classes[2].misses = 1;
    let found: Vec<_> = stats.advice().findings.iter().map(Finding::to_string).collect();
    assert_eq!(
        found,
        [
            "Medium has too many slots: 0 were wanted at once, it has 64",
            "65537 bytes (400 requests) just miss Medium, whose slots have 65536",
            "Large has too few slots: 20 were wanted at once, it has 32",
            "Large is cut too large for 65537 bytes (400 requests): 74 % of a slot is wasted",
            "XLarge has too many slots: 11 were wanted at once, it has 64",
            "XLarge is cut too large for 388800 bytes (180 requests): 81 % of a slot is wasted",
        ]
    );
}

#[test]
fn without_a_recording_it_says_how_to_get_one() {
    let advice = Stats::default().advice();
    assert_eq!((advice.recorded, advice.config()), (false, None));
    assert_eq!(advice.to_string(), "Nothing was recorded: see Config::record, or set FRAMEPOOL=record");
    let (empty, _) = recorded(Config::new(), &[]);
    assert!(empty.advice().to_string().contains("nothing was asked for that is worth a slot"));
}

/// Advice in a file has to be a table file, so it must not exceed 4 KiB, whatever the run was like.
#[test]
fn advice_is_short() {
    let recording = new_recording(&Config::new());
    for n in 0..200_usize {
        let layout = layout((2 << 20) + n * n * 26_000);
        begin(recording, layout);
    }
    for size in [24, 70_000, 1_100, 300_000].repeat(200_000) {
        begin(recording, layout(size));
    }
    let mut stats = stats_of(recording);
    stats.classes.iter_mut().for_each(|class| class.misses = u64::MAX / 8);
    let (advice, table) = (stats.advice(), stats.to_string());
    let all = advice.to_string().len() + table.len() + advice.environment().map_or(0, |table| table.len());
    let lines = advice.to_string().lines().count() + table.lines().count();
    assert!(all + 2 * lines + 200 < 4_096, "{all} {lines} {advice}");
}
