//! The marks that the figures are judged by, and the results.
//!
//! In a comparison with several rivals, the rival with the lowest median counts. The ratio is then taken
//! within rounds.

mod verdict;

use crate::contestants::{CONTESTANTS, Kind};
use crate::quartiles::Quartiles;
use crate::results::{Figures, Key};
use crate::workloads::{CLASS_SIZES, named, size_in_words};
use verdict::{Mark, Verdict};

const OURS: &str = "framepool";
const CLASSES: [&str; 4] = ["Small", "Medium", "Large", "XLarge"];

/// The three allocators that Small and Medium are compared with. snmalloc has its own mark there.
const THREE: [&str; 3] = ["mimalloc", "jemalloc", "rpmalloc"];

/// Returns every verdict that the available figures allow.
pub(crate) fn all(figures: &Figures<'_>) -> Vec<Verdict> {
    let judge = Judge { figures, verdicts: Vec::new() };
    judge.hits().threads().frames().not_served().vectors().start_up().verdicts
}

/// The figures, and the verdicts so far.
struct Judge<'a> {
    figures: &'a Figures<'a>,
    verdicts: Vec<Verdict>,
}

impl Judge<'_> {
    /// Judges pairs and bursts of 16 in each class.
    fn hits(mut self) -> Self {
        for workload in ["pairs", "bursts_16"] {
            for (class, bytes) in CLASSES.into_iter().zip(CLASS_SIZES) {
                let key = ns(workload, bytes);
                let subject = format!("{class}, {workload}");
                match class {
                    "Small" | "Medium" => {
                        self.against_best(&subject, key, &THREE, Mark::AtMost(1.1));
                        let most = if class == "Small" { 1.4 } else { 1.2 };
                        self.against(&subject, key, "snmalloc", Mark::AtMost(most));
                    }
                    _ => self.against_best(&subject, key, &peers(), Mark::Below(1.0)),
                }
                self.difference(&format!("{subject}, framepool - ring"), key, "ring", " ns", Mark::Reported);
            }
        }
        for (class, bytes) in CLASSES.into_iter().zip(CLASS_SIZES) {
            let hardened = Key { contestant: "framepool_hardened", ..ns("pairs", bytes) };
            let ratio = self.figures.compare(hardened, ns("pairs", bytes), |with, without| with / without);
            self.say(format!("{class}, pairs, hardened / framepool"), ratio, " x", Mark::Reported);
        }
        self
    }

    /// Judges two threads against one, and the hand-off.
    fn threads(mut self) -> Self {
        for workload in ["threads_pairs", "threads_bursts"] {
            for (class, bytes) in CLASSES.into_iter().zip(CLASS_SIZES) {
                let slow_down = self.slow_down(workload, bytes);
                let subject = format!("{class}, {workload}, two threads / one, over the control loop's");
                self.say(subject, slow_down, " x", Mark::AtMost(1.25));
            }
        }
        for (class, bytes) in CLASSES.into_iter().zip(CLASS_SIZES) {
            let subject = format!("{class}, hand_off");
            self.against_best(&subject, ns("hand_off", bytes), &peers(), Mark::AtMost(1.15));
        }
        self
    }

    /// Returns how much slower two threads are than one, divided by the slow-down of the control loop.
    fn slow_down(&self, workload: &str, bytes: usize) -> Option<Quartiles> {
        let key = |figure| Key { figure, ..ns(workload, bytes) };
        let blocks = self.figures.by_round(key("threads_2_ns"), key("threads_1_ns"), |two, one| two / one)?;
        let control =
            self.figures.by_round(key("control_2_ns"), key("control_1_ns"), |two, one| two / one)?;
        let both = blocks.iter().filter_map(|(round, blocks)| Some(blocks / control.get(round)?));
        Quartiles::of(both.collect())
    }

    /// Judges percentiles of the time until a frame is ready.
    fn frames(mut self) -> Self {
        for &bytes in named("frame_ready").expect("a workload").sizes {
            let key = |figure| Key { figure, ..ns("frame_ready", bytes) };
            let subject = |name: &str| format!("frame_ready, {}, {name}", size_in_words(bytes));
            for (name, figure) in [("p50", "p50_ns"), ("p90", "p90_ns"), ("p99", "p99_ns")] {
                self.against_best(&subject(name), key(figure), &peers(), Mark::AtMost(1.25));
            }
            let pinned = Key { contestant: "glibc_pinned", ..key("p99_ns") };
            let ratio = self.figures.compare(pinned, key("p99_ns"), |glibc, ours| glibc / ours);
            self.say(subject("p99, glibc_pinned / framepool"), ratio, " x", Mark::AtLeast(50.0));
            let [prewarmed, ring] =
                ["framepool_prewarmed", "ring"].map(|contestant| Key { contestant, ..key("p99.9_ns") });
            let ratio = self.figures.compare(prewarmed, ring, |ours, limit| ours / limit);
            self.say(subject("p99.9, framepool_prewarmed / ring"), ratio, " x", Mark::AtMost(1.5));
        }
        for &bytes in named("frame_ready_turns").expect("a workload").sizes {
            for (name, figure, mark) in [
                ("p50", "p50_ns", Mark::AtMost(1.1)),
                ("p90", "p90_ns", Mark::AtMost(1.1)),
                ("p99", "p99_ns", Mark::Reported),
                ("p99.9", "p99.9_ns", Mark::Reported),
            ] {
                let key = Key { figure, ..ns("frame_ready_turns", bytes) };
                for (ours, mark) in [("framepool_fitted", mark), (OURS, Mark::Reported)] {
                    let subject = format!("frame_ready_turns, {}, {name}", size_in_words(bytes));
                    self.against_best(&subject, Key { contestant: ours, ..key }, &peers(), mark);
                }
            }
        }
        self
    }

    /// Judges requests that the pools do not serve.
    fn not_served(mut self) -> Self {
        for (workload, most) in [
            ("tax_floor", 1.10),
            ("tax_open_lane", 1.15),
            ("tax_small", 1.15),
            ("tax_zeroed_floor", 1.15),
            ("tax_zeroed_open_lane", 1.15),
            ("tax_realloc_floor", 1.15),
            ("tax_realloc_open_lane", 1.15),
            ("tax_large", 1.10),
        ] {
            for &bytes in named(workload).expect("a workload").sizes {
                let ratio = self.figures.quartiles(Key { figure: "ratio", ..ns(workload, bytes) });
                let subject = format!("{workload}, {}, framepool / System", size_in_words(bytes));
                self.say(subject, ratio, " x", Mark::AtMost(most));
            }
        }
        self
    }

    /// Judges the requests of `Vec` beside `alloc`: zeros, and growth.
    fn vectors(mut self) -> Self {
        for (class, bytes) in CLASSES.into_iter().zip(CLASS_SIZES) {
            let subject = format!("{class}, vec_zeroed");
            self.against(&subject, ns("vec_zeroed", bytes), "glibc", Mark::AtMost(1.0));
        }
        for &bytes in named("vec_grown").expect("a workload").sizes {
            self.against_best("vec_grown", ns("vec_grown", bytes), &THREE, Mark::Below(1.0));
            self.against("vec_grown", ns("vec_grown", bytes), "glibc", Mark::AtMost(1.25));
        }
        for &bytes in named("vec_pushed").expect("a workload").sizes {
            // Past the last class the block moves out of the pools.
            let mark = if bytes <= 2 << 20 { Mark::AtMost(1.25) } else { Mark::Reported };
            let subject = format!("vec_pushed, {}", size_in_words(bytes));
            self.against(&subject, ns("vec_pushed", bytes), "glibc_tuned", mark);
        }
        self
    }

    /// Judges the first block.
    fn start_up(mut self) -> Self {
        for &bytes in named("start_up").expect("a workload").sizes {
            let key = |figure| Key { figure, ..ns("start_up", bytes) };
            self.difference(
                "start_up, framepool - System",
                key("first_ns"),
                "glibc",
                " ns",
                Mark::AtMost(1e6),
            );
            self.difference(
                "start_up, framepool - System",
                key("resident_kib"),
                "glibc",
                " KiB",
                Mark::AtMost(2048.0),
            );
        }
        self
    }

    /// Judges the ratio to the rival that has the lowest median.
    fn against_best(&mut self, subject: &str, key: Key<'_>, rivals: &[&'static str], mark: Mark) {
        let median = |rival| Some(self.figures.quartiles(Key { contestant: rival, ..key })?.median);
        let known = rivals.iter().filter_map(|&rival| Some((rival, median(rival)?)));
        if let Some((best, _)) = known.min_by(|(_, one), (_, other)| one.total_cmp(other)) {
            self.against(&format!("{subject}, best of {}", rivals.len()), key, best, mark);
        }
    }

    fn against(&mut self, subject: &str, key: Key<'_>, rival: &'static str, mark: Mark) {
        let rivals = Key { contestant: rival, ..key };
        let ratio = self.figures.compare(key, rivals, |ours, theirs| ours / theirs);
        self.say(format!("{subject}, {} / {rival}", key.contestant), ratio, " x", mark);
    }

    fn difference(
        &mut self,
        subject: &str,
        key: Key<'_>,
        other: &'static str,
        unit: &'static str,
        mark: Mark,
    ) {
        let others = Key { contestant: other, ..key };
        let difference = self.figures.compare(key, others, |ours, theirs| ours - theirs);
        self.say(subject.to_owned(), difference, unit, mark);
    }

    fn say(&mut self, subject: String, found: Option<Quartiles>, unit: &'static str, mark: Mark) {
        self.verdicts.extend(found.map(|found| Verdict { subject, found, unit, mark }));
    }
}

/// Returns the key of framepool's nanoseconds.
fn ns(workload: &str, bytes: usize) -> Key<'_> {
    Key { workload, bytes, contestant: OURS, figure: "ns" }
}

/// Returns the names of the allocators to beat.
fn peers() -> Vec<&'static str> {
    CONTESTANTS.iter().filter(|who| who.kind == Kind::Peer).map(|who| who.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Row;
    use crate::results::tests::row;

    fn judged(rows: &[Row]) -> Vec<String> {
        all(&Figures::of(rows)).iter().map(Verdict::to_string).collect()
    }

    #[test]
    fn the_rival_is_the_best_by_the_median_and_only_those_that_were_measured_count() {
        let bytes = CLASS_SIZES[3];
        let rounds = |who: &str, ns: [f64; 3]| {
            [1, 2, 3].map(|round| row(round, "pairs", bytes, who, ns[round as usize - 1]))
        };
        let rows = [
            rounds("framepool", [9.0, 9.0, 9.0]),
            rounds("rpmalloc", [10.0, 10.0, 90.0]),
            rounds("glibc", [18.0, 5.0, 18.0]),
        ];
        let expected =
            "XLarge, pairs, best of 5, framepool / rpmalloc: 0.90 (0.10..0.90) x; below 1.00 x asked: met";
        assert_eq!(judged(&rows.concat()), [expected]);
    }

    #[test]
    fn the_control_loop_is_divided_out() {
        let figure = |figure: &str, value| Row {
            figure: figure.to_owned(),
            ..row(1, "threads_pairs", CLASS_SIZES[0], "framepool", value)
        };
        let rows = [
            figure("threads_1_ns", 10.0),
            figure("threads_2_ns", 30.0),
            figure("control_1_ns", 5.0),
            figure("control_2_ns", 10.0),
        ];
        let lines = judged(&rows);
        assert!(lines[0].contains(": 1.50 x; at most 1.25 x asked: NOT MET"), "{lines:?}");
    }
}
