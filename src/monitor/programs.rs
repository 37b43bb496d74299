//! Tests of all figures about a program: the table, the pooled share, the events of a monitor, the metrics and
//! both macros, for programs that the table of classes fits and for those that it does not.

use core::alloc::{GlobalAlloc, Layout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::watch::{MonitorEvent, Thresholds, Watch};
use crate::config::Config;
use crate::config::sizing::with_headroom;
use crate::memory::residency::Residency;
use crate::pool_alloc::PoolAlloc;
use crate::slots::class::Class;
use crate::stats::Stats;

/// Everything that is said about a program.
struct Said {
    stats: Stats,
    table: String,
    events: Vec<String>,
    /// The messages of `assert_pooled!` and `assert_no_misses!`; empty if they did not panic.
    not_pooled: String,
    missed: String,
    #[cfg(feature = "metrics")]
    metrics: String,
}

impl Said {
    /// Runs a program that allocates from `pool` alone.
    fn of(pool: &'static PoolAlloc, program: impl Fn()) -> Self {
        let thresholds = Thresholds { share: 0.05, from_bytes: 16 << 10, trim_after: None };
        let mut watch = Watch::new(pool.stats(), thresholds);
        let mut missed = String::new();
        let not_pooled = message_of(|| {
            assert_pooled!(pool, missed = message_of(|| assert_no_misses!(pool, program())));
        });
        let stats = pool.stats();
        let events = watch.check(&stats, &Residency::default(), Instant::now());
        Self {
            stats,
            table: stats.to_string(),
            events: events.iter().map(MonitorEvent::to_string).collect(),
            not_pooled,
            missed,
            #[cfg(feature = "metrics")]
            metrics: metrics_of(&stats),
        }
    }

    /// Returns the lines of the table after those of the classes.
    fn last_lines(&self) -> Vec<&str> {
        self.table.lines().skip(4).collect()
    }

    /// Panics unless the metrics have these lines, and none that starts with one of those.
    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "there are no metrics"))]
    fn assert_metrics(&self, _has: &[&str], _has_not: &[&str]) {
        #[cfg(feature = "metrics")]
        {
            let metrics = &self.metrics;
            let labelled = |start: &&&str| metrics.lines().any(|line| line.starts_with(**start));
            assert_eq!(_has.iter().find(|start| !labelled(start)), None, "{metrics}");
            assert_eq!(_has_not.iter().find(labelled), None, "{metrics}");
        }
    }
}

fn message_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).err();
    panic.map_or(String::new(), |panic| panic.downcast_ref::<String>().expect("a text").clone())
}

#[cfg(feature = "metrics")]
fn metrics_of(stats: &Stats) -> String {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || super::metrics::Metrics::new("A pool").tell(stats, None));
    recorder.handle().render()
}

/// A block of a pool, which is freed when this is dropped.
struct Held(&'static PoolAlloc, *mut u8, Layout);

impl Held {
    fn new(pool: &'static PoolAlloc, bytes: usize) -> Self {
        let layout = Layout::array::<u8>(bytes).expect("a size that there may be");
        // SAFETY: not empty.
        let start = unsafe { pool.alloc(layout) };
        assert!(!start.is_null());
        Self(pool, start, layout)
    }

    fn resize(&mut self, bytes: usize) {
        // SAFETY: a live block of this layout, and a size that is not 0.
        self.1 = unsafe { self.0.realloc(self.1, self.2, bytes) };
        assert!(!self.1.is_null());
        self.2 = Layout::array::<u8>(bytes).expect("a size that there may be");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: allocated there with this layout.
        unsafe { self.0.dealloc(self.1, self.2) };
    }
}

/// Makes 300 frames, 12 of which are live at once.
fn frames(pool: &'static PoolAlloc) {
    for _ in 0..25 {
        let _batch: Vec<_> = (0..12).map(|_| Held::new(pool, 1920 * 1080 * 3 / 2)).collect();
    }
}

/// Makes pictures of many sizes, half of which are above 2 MiB, 4 at once.
fn thumbnails(pool: &'static PoolAlloc) {
    for round in 0..100 {
        let size = |i: usize| ((i * 7_919) % 97 + 1) * 43_000;
        let _pictures: Vec<_> = (0..4).map(|i| Held::new(pool, size(4 * round + i))).collect();
    }
}

#[test]
fn frames_too_large_for_every_slot_are_told_with_the_slots_that_would_hold_them() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let said = Said::of(&POOL, || frames(&POOL));
    let line = "300 requests too large for XLarge (2 MiB), largest 3,110,400 bytes, 12 at once; \
                try .class(Class::XLarge, 3_112_960, 14)";
    assert_eq!(
        said.last_lines(),
        ["Bypasses: too large=300", "Overall hit rate: n/a", "Pooled: 0.0% of 889.9 MiB requested", line]
    );
    assert_eq!((said.stats.pooled_share(), said.stats.hit_rate()), (Some(0.0), 0.0));
    assert_eq!(said.events, [line]);
    let first = "requests that were not served by a slot: 300\n\
                 300 requests of 2 MiB to 4 MiB (889.9 MiB together): too large\n";
    assert!(said.not_pooled.starts_with(first), "{}", said.not_pooled);
    assert_eq!(said.missed, "");
    said.assert_metrics(
        &[
            "# HELP framepool_refused_bytes_total ",
            "framepool_refused_total{pool=\"A_pool\",reason=\"too_large\"} 300",
            "framepool_refused_bytes_total{pool=\"A_pool\",reason=\"too_large\"} 933120000",
            "framepool_fallback_bytes_total{pool=\"A_pool\"} 933120000",
            "framepool_pooled_share{pool=\"A_pool\"} 0",
        ],
        &[],
    );

    // The end of the line, pasted.
    static PASTED: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::XLarge, 3_112_960, 14));
    let said = Said::of(&PASTED, || frames(&PASTED));
    assert_eq!(said.last_lines(), ["Overall hit rate: 100.0%", "Pooled: 100.0% of 889.9 MiB requested"]);
    assert_eq!((said.events.len(), said.not_pooled, said.missed), (0, String::new(), String::new()));
}

#[test]
fn small_objects_do_not_hide_that_every_frame_is_pooled() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let said = Said::of(&POOL, || {
        let _small: Vec<_> = (0..3_000).map(|_| Held::new(&POOL, 300)).collect();
        (0..10).for_each(|_| drop(Held::new(&POOL, 1_382_400)));
    });
    assert_eq!(said.last_lines(), ["Overall hit rate: 34.3%", "Pooled: 95.9% of 14.0 MiB requested"]);
    assert!(said.stats.pooled_share().is_some_and(|share| share > 0.95));
    assert_eq!(said.events, [""; 0]);
    assert_eq!((said.not_pooled.as_str(), said.missed.as_str()), ("", ""));
    said.assert_metrics(
        &[
            "framepool_refused_total{pool=\"A_pool\",reason=\"no_free_slot\"} 1976",
            "framepool_pooled_share{pool=\"A_pool\"} 0.95",
        ],
        &[],
    );
}

#[test]
fn pools_that_are_switched_off_show_that_nothing_is_pooled() {
    static POOL: PoolAlloc = PoolAlloc::new();
    POOL.set_enabled(false);
    let said = Said::of(&POOL, || frames(&POOL));
    assert_eq!(
        said.last_lines(),
        ["Bypasses: disabled=300", "Overall hit rate: n/a", "Pooled: 0.0% of 889.9 MiB requested"]
    );
    assert_eq!((said.stats.pooled_share(), said.events.len()), (Some(0.0), 0));
    assert!(said.not_pooled.contains("300 requests of 2 MiB to 4 MiB (889.9 MiB together): disabled\n"));
    assert_eq!(said.missed, "");
    said.assert_metrics(&["framepool_refused_total{pool=\"A_pool\",reason=\"disabled\"} 300"], &[]);
}

// A table of 32-bit sizes may fit.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_denied_reservation_shows_that_nothing_is_pooled() {
    // More than an address space.
    const CONFIG: Config = Config::new()
        .class(Class::Small, 1 << 40, 2)
        .class(Class::Medium, 2 << 40, 2)
        .class(Class::Large, 3 << 40, 1)
        .class(Class::XLarge, 4 << 40, 1_024);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    let said = Said::of(&POOL, || drop(Held::new(&POOL, 1_382_400)));
    let lines = said.last_lines();
    assert_eq!(lines[0], "Bypasses: disabled=1");
    assert!(lines[1].starts_with("Reservation denied"), "{}", said.table);
    assert_eq!(lines[2..], ["Overall hit rate: n/a", "Pooled: 0.0% of 1.3 MiB requested"]);
    assert_eq!(said.stats.pooled_share(), Some(0.0));
    assert_eq!(said.events, ["pool reservation denied: everything goes to the fallback"]);
    assert!(said.not_pooled.contains("1 request of 1 MiB to 2 MiB (1.3 MiB together): disabled\n"));
    assert_eq!(said.missed, "");
    said.assert_metrics(&["framepool_reserved{pool=\"A_pool\"} 0"], &["framepool_slots{"]);
}

#[test]
fn without_a_request_there_is_no_rate() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let said = Said::of(&POOL, || {});
    assert_eq!(said.last_lines(), ["Overall hit rate: n/a", "Pooled: n/a"]);
    assert_eq!((said.stats.pooled_share(), said.stats.hit_rate(), said.stats.miss_rate()), (None, 0.0, 0.0));
    assert_eq!((said.events.len(), said.not_pooled.as_str(), said.missed.as_str()), (0, "", ""));
    said.assert_metrics(
        &["framepool_pooled_bytes_total{pool=\"A_pool\"} 0"],
        &["framepool_pooled_share{", "framepool_reserved{", "framepool_slots{"],
    );
}

// A 32-bit process may have as much.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_request_that_nothing_could_serve_has_no_bytes() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let said = Said::of(&POOL, || {
        let absurd = Layout::array::<u8>(isize::MAX as usize).expect("it has a layout");
        // SAFETY: not empty.
        assert!(unsafe { POOL.alloc(absurd) }.is_null());
    });
    assert_eq!(said.last_lines(), ["Bypasses: too large=1", "Overall hit rate: n/a", "Pooled: n/a"]);
    let stats = said.stats;
    assert_eq!((stats.failed(), stats.total_bytes(), stats.pooled_share()), (1, 0, None));
    assert_eq!((stats.refused().count(), stats.too_large()), (1, None));
    assert_eq!(said.events, [""; 0]);
    let first = "requests that were not served by a slot: 1\n\
                 1 request of 256 MiB and more (0 B together): too large, 1 without any memory\n";
    assert!(said.not_pooled.starts_with(first), "{}", said.not_pooled);
    assert_eq!(said.missed, "");
    said.assert_metrics(
        &["framepool_failed_total{pool=\"A_pool\",reason=\"too_large\"} 1"],
        &["framepool_pooled_share{"],
    );
}

#[test]
fn pictures_of_many_sizes_are_said_to_be_half_too_large() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let said = Said::of(&POOL, || thumbnails(&POOL));
    // With magazines, the peak may be seen one too low.
    let slots = with_headroom(3 + said.stats.class(Class::XLarge).peak as usize);
    let line = &*format!(
        "201 requests too large for XLarge (2 MiB), largest 4,171,000 bytes, 3 at once; \
         try .class(Class::XLarge, 4_173_824, {slots})"
    );
    assert_eq!(
        said.last_lines(),
        ["Bypasses: too large=201", "Overall hit rate: 100.0%", "Pooled: 24.8% of 800.8 MiB requested", line]
    );
    assert_eq!(said.events, [line]);
    let first = "requests that were not served by a slot: 201\n\
                 201 requests of 2 MiB to 4 MiB (";
    assert!(said.not_pooled.starts_with(first), "{}", said.not_pooled);
    assert_eq!(said.missed, "");

    static PASTED: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::XLarge, 4_173_824, 6));
    let said = Said::of(&PASTED, || thumbnails(&PASTED));
    assert!(said.stats.pooled_share().is_some_and(|share| share >= 0.99), "{}", said.table);
}

#[test]
fn one_huge_request_does_not_decide_what_would_hold_the_frames() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let said = Said::of(&POOL, || {
        frames(&POOL);
        drop(Held::new(&POOL, 64 << 20));
    });
    let line = "301 requests too large for XLarge (2 MiB), largest 67,108,864 bytes, 12 at once; \
                try .class(Class::XLarge, 3_112_960, 14)";
    assert_eq!(said.events, [line]);
}

#[test]
fn a_request_that_comes_once_is_told_without_a_table_or_an_alarm() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let said = Said::of(&POOL, || drop(Held::new(&POOL, 16 << 20)));
    let line = "1 request too large for XLarge (2 MiB), largest 16,777,216 bytes, 1 at once";
    assert_eq!((said.last_lines().pop(), said.events.len()), (Some(line), 0));
}

#[test]
fn blocks_of_every_thread_count_while_they_live_unpooled_ones_too() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let frame = || Held::new(&POOL, 3 << 20);
    // Starts the pools.
    drop(Held::new(&POOL, 300));
    let kept = POOL.unpooled(|| [frame(), frame(), frame()]);
    let counted: Vec<_> = (0..5).map(|_| frame()).collect();
    POOL.unpooled(|| drop(counted));
    drop(kept);
    (0..40).for_each(|_| drop([frame(), frame()]));
    let too_large = POOL.stats().too_large().expect("frames");
    assert_eq!((too_large.requests, too_large.at_once), (85, 8));
}

#[test]
fn a_block_that_is_reallocated_counts_once() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let mut block = Held::new(&POOL, 3 << 20);
    (4..40).for_each(|mib| block.resize(mib << 20));
    // Into a slot and out of it.
    block.resize(1 << 20);
    drop((0..64).map(|_| Held::new(&POOL, 2 << 20)).collect::<Vec<_>>());
    block.resize(2 << 20);
    assert!(POOL.owns(block.1));
    (3..40).for_each(|mib| block.resize(mib << 20));
    drop(block);
    let too_large = POOL.stats().too_large().expect("large requests");
    assert_eq!((too_large.requests, too_large.at_once), (74, 1));
}

#[test]
fn sizes_below_16_kib_are_not_known_and_no_table_is_made_of_them() {
    const CONFIG: Config = Config::new()
        .class(Class::Small, 1 << 10, 8)
        .class(Class::Medium, 2 << 10, 8)
        .class(Class::Large, 4 << 10, 8)
        .class(Class::XLarge, 8 << 10, 8);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    let said = Said::of(&POOL, || (0..300).for_each(|_| drop(Held::new(&POOL, 9_000))));
    assert_eq!(said.last_lines().pop(), Some("300 requests too large for XLarge (8 KiB)"));
}

#[test]
fn a_line_to_paste_drops_a_hold_back_that_would_be_too_large() {
    const CONFIG: Config = Config::new().hold_back(Class::XLarge, 32, 1 << 20);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    let said = Said::of(&POOL, || frames(&POOL));
    let end = "; try .class(Class::XLarge, 3_112_960, 14).hold_back(Class::XLarge, 0, 0)";
    assert!(said.table.ends_with(end), "{}", said.table);
    let pasted = CONFIG.class(Class::XLarge, 3_112_960, 14);
    assert!(pasted.validate().is_err() && pasted.hold_back(Class::XLarge, 0, 0).validate().is_ok());
}

#[test]
fn an_alarm_waits_for_a_table_and_goes_on_through_small_hits() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let thresholds = Thresholds { share: 0.05, from_bytes: 16 << 10, trim_after: None };
    let mut watch = Watch::new(POOL.stats(), thresholds);
    let mut events = || watch.check(&POOL.stats(), &Residency::default(), Instant::now()).len();
    let _small = Held::new(&POOL, 300);
    let batch = || drop((0..4).map(|_| Held::new(&POOL, 3 << 20)).collect::<Vec<_>>());
    batch();
    assert_eq!(events(), 0, "4 requests for 4 blocks at once");
    (0..3).for_each(|_| batch());
    assert_eq!(events(), 1);
    drop(Held::new(&POOL, 300));
    assert_eq!(events(), 0, "a pause");
    batch();
    assert_eq!(events(), 0, "still that episode");
    (0..100).for_each(|_| drop(Held::new(&POOL, 1 << 20)));
    assert_eq!(events(), 0, "its end");
    batch();
    assert_eq!(events(), 1);
}
