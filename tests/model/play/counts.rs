//! The outcomes of requests, and the counts that the statistics have to show for them.

use framepool::{Bypass, Class, Stats};

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

/// The counts that the statistics have to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) classes: [ClassCounts; 4],
    pub(super) too_large: u64,
    pub(super) over_aligned: u64,
    pub(super) disabled: u64,
    pub(super) fallback_bytes: u64,
    pub(super) fallbacks: u64,
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
    pub(super) fn of(stats: &Stats) -> Self {
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
            shrunk_to_fallback: stats.shrunk_to_fallback(),
            moved: stats.reallocs_moved(),
            zeroed: stats.memsets_done() + stats.memsets_skipped(),
        }
    }

    pub(super) fn count(&mut self, verdict: Verdict, size: usize) {
        match verdict {
            Verdict::Hit(class) => {
                let class = &mut self.classes[class];
                class.hits += 1;
                class.in_use += 1;
                class.requested_bytes += size as u64;
                return;
            }
            Verdict::Miss(class) => self.classes[class].misses += 1,
            Verdict::HeldBack(class) => self.classes[class].held_back += 1,
            Verdict::BelowFloor(class) => self.classes[class].below_floor += 1,
            Verdict::TooLarge => self.too_large += 1,
            Verdict::OverAligned => self.over_aligned += 1,
            Verdict::Disabled => self.disabled += 1,
            Verdict::Unpooled => return,
        }
        self.pass_on(size);
    }

    /// Counts a request that goes to the fallback.
    pub(super) fn pass_on(&mut self, size: usize) {
        self.fallbacks += 1;
        self.fallback_bytes += size as u64;
    }

    pub(super) fn give(&mut self, class: usize) {
        self.classes[class].returns += 1;
        self.classes[class].in_use -= 1;
    }
}
