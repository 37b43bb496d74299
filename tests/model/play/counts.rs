//! The outcomes of requests, and the counts that the statistics have to show for them.

use std::collections::BTreeMap;

use framepool::{Bypass, Class, Refusal, Stats};

/// The outcome of a request for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Hit(usize),
    Miss(usize),
    HeldBack(usize),
    BelowFloor(usize),
    TooLarge,
    OverAligned,
    Disabled,
    /// Served by the fallback inside `unpooled`, and not counted.
    Unpooled,
}

/// The size in bytes from which refused requests are counted by size, and not as served if the fallback fails.
const LARGE: usize = 16 << 10;

/// The counts that the statistics have to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) classes: [ClassCounts; 4],
    pub(super) too_large: u64,
    pub(super) over_aligned: u64,
    pub(super) disabled: u64,
    pub(super) fallback_bytes: u64,
    pub(super) fallbacks: u64,
    /// Requests, bytes, the largest and the failed ones, by the power of two that they start from and by reason.
    refused: BTreeMap<(u64, Refusal), [u64; 4]>,
    /// Live blocks of the fallback that are larger than every slot, and the maximum so far.
    too_large_now: u64,
    too_large_peak: u64,
    pub(super) shrunk_to_fallback: u64,
    pub(super) moved: u64,
    pub(super) zeroed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClassCounts {
    pub(super) in_use: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) returns: u64,
    pub(super) in_place: u64,
    pub(super) requested_bytes: u64,
    pub(super) held_back: u64,
    pub(super) below_floor: u64,
}

impl Counts {
    /// Maxima are of the pool's whole life, so in a later game they may exceed the `expected` ones.
    pub(super) fn of(stats: &Stats, expected: &Self) -> Self {
        let of_class = |class| {
            let class = stats.class(class);
            ClassCounts {
                in_use: class.in_use,
                hits: class.hits,
                misses: class.misses,
                returns: class.returns,
                in_place: class.reallocs_in_place,
                requested_bytes: class.requested_bytes,
                held_back: class.held_back,
                below_floor: class.below_floor,
            }
        };
        Self {
            classes: Class::ALL.map(of_class),
            too_large: stats.bypassed(Bypass::TooLarge),
            over_aligned: stats.bypassed(Bypass::OverAligned),
            disabled: stats.bypassed(Bypass::Disabled),
            fallback_bytes: stats.fallback_bytes(),
            fallbacks: stats.fallbacks(),
            refused: stats
                .refused()
                .map(|sizes| {
                    let key = (sizes.from_bytes, sizes.reason);
                    let largest = expected.refused.get(&key).map_or(0, |counts| counts[2]);
                    (key, [sizes.requests, sizes.bytes, largest.min(sizes.largest), sizes.failed])
                })
                .collect(),
            too_large_now: expected.too_large_now,
            too_large_peak: stats
                .too_large()
                .map_or(expected.too_large_peak, |all| expected.too_large_peak.min(all.at_once)),
            shrunk_to_fallback: stats.shrunk_to_fallback(),
            moved: stats.reallocs_moved(),
            zeroed: stats.memsets_done() + stats.memsets_skipped(),
        }
    }

    /// Counts a request with its outcome. `is_null` says that it got no memory at all.
    pub(super) fn count(&mut self, verdict: Verdict, size: usize, is_null: bool) {
        let refusal = match verdict {
            Verdict::Hit(class) => {
                let class = &mut self.classes[class];
                class.hits += 1;
                class.in_use += 1;
                class.requested_bytes += size as u64;
                return;
            }
            Verdict::Miss(class) => {
                self.classes[class].misses += 1;
                Refusal::Miss
            }
            Verdict::HeldBack(class) => {
                self.classes[class].held_back += 1;
                Refusal::Bypass(Bypass::HeldBack)
            }
            Verdict::BelowFloor(class) => {
                self.classes[class].below_floor += 1;
                Refusal::Bypass(Bypass::BelowFloor)
            }
            Verdict::TooLarge => {
                self.too_large += 1;
                Refusal::Bypass(Bypass::TooLarge)
            }
            Verdict::OverAligned => {
                self.over_aligned += 1;
                Refusal::Bypass(Bypass::OverAligned)
            }
            Verdict::Disabled => {
                self.disabled += 1;
                Refusal::Bypass(Bypass::Disabled)
            }
            Verdict::Unpooled => return,
        };
        self.pass_on(size, is_null);
        let from = if size < LARGE { 0 } else { 1 << size.ilog2() };
        let [requests, bytes, largest, failed] = self.refused.entry((from, refusal)).or_default();
        if size >= LARGE && is_null {
            *failed += 1;
            return;
        }
        *requests += 1;
        *bytes += size as u64;
        *largest = if size < LARGE { 0 } else { (*largest).max(size as u64) };
    }

    /// Counts a request that goes to the fallback.
    pub(super) fn pass_on(&mut self, size: usize, is_null: bool) {
        self.fallbacks += 1;
        if size < LARGE || !is_null {
            self.fallback_bytes += size as u64;
        }
    }

    /// Counts the end of an old block and the begin of a new one, as far as they are larger than `largest`.
    pub(super) fn exchange(&mut self, largest: usize, old: Option<usize>, new: Option<usize>) {
        self.too_large_now += u64::from(new.is_some_and(|size| size > largest));
        self.too_large_now -= u64::from(old.is_some_and(|size| size > largest));
        self.too_large_peak = self.too_large_peak.max(self.too_large_now);
    }

    pub(super) fn give(&mut self, class: usize) {
        self.classes[class].returns += 1;
        self.classes[class].in_use -= 1;
    }
}
