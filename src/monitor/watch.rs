//! Decides what is worth an event: compares a snapshot with the one before, and keeps what was reported
//! already.

use core::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::memory::residency::{MEMORY_OPTIONS, MemoryOption, Residency};
use crate::slots::class::{CLASSES, Class};
use crate::stats::{Stats, TooLarge};

/// An event that a [`Monitor`](crate::Monitor) reports.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum MonitorEvent {
    /// The share of a class's requests that missed since the last check is above the
    /// [threshold](crate::MonitorBuilder::warn_above).
    ///
    /// Reported once an episode. An episode ends when the class has hits again and the rate is at most half
    /// the threshold.
    MissRateHigh {
        /// The class.
        class: Class,
        /// Misses / (hits + misses), 0.0 to 1.0.
        miss_rate: f64,
    },
    /// The share of the bytes requested since the last check in requests that are too large for every slot is
    /// above the [threshold](crate::MonitorBuilder::warn_above).
    ///
    /// Reported once an episode, and only if there is a [table](TooLarge::needed) that would serve them, which
    /// the text says. The figures are those of the whole run. An episode ends when slots of at least
    /// [`warn_from`](crate::MonitorBuilder::warn_from) bytes serve requests again and the share is at most half
    /// the threshold.
    TooLarge(TooLarge),
    /// The pools could not be reserved, so everything goes to the fallback. Reported once.
    ReservationDenied,
    /// The system denied an option of the configuration. Reported once, unless it is granted and denied
    /// again.
    OptionDenied {
        /// The option.
        option: MemoryOption,
        /// The reason.
        #[cfg_attr(feature = "serde", serde(serialize_with = "as_text"))]
        error: io::Error,
    },
    /// The monitor trimmed the allocator, because it was idle.
    Trimmed {
        /// Bytes that were resident and went back to the system.
        bytes: usize,
    },
}

impl MonitorEvent {
    /// Whether the event is a warning: each one is, except [`Trimmed`](Self::Trimmed).
    #[must_use]
    pub fn is_warning(&self) -> bool {
        !matches!(self, MonitorEvent::Trimmed { .. })
    }
}

impl fmt::Display for MonitorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MonitorEvent::MissRateHigh { class, miss_rate } => {
                let percent = 100.0 * miss_rate;
                write!(f, "{class} pool miss rate high: {percent:.1}% - consider increasing pool size")
            }
            MonitorEvent::TooLarge(too_large) => too_large.fmt(f),
            MonitorEvent::ReservationDenied => {
                f.write_str("pool reservation denied: everything goes to the fallback")
            }
            MonitorEvent::OptionDenied { option, error } => write!(f, "{option} denied: {error}"),
            MonitorEvent::Trimmed { bytes } => {
                write!(f, "trimmed {:.1} MiB while idle", *bytes as f64 / (1 << 20) as f64)
            }
        }
    }
}

#[cfg(feature = "serde")]
fn as_text<S: serde::Serializer>(error: &io::Error, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}

impl Clone for MonitorEvent {
    fn clone(&self) -> Self {
        match self {
            &MonitorEvent::MissRateHigh { class, miss_rate } => {
                MonitorEvent::MissRateHigh { class, miss_rate }
            }
            &MonitorEvent::TooLarge(too_large) => MonitorEvent::TooLarge(too_large),
            MonitorEvent::ReservationDenied => MonitorEvent::ReservationDenied,
            MonitorEvent::OptionDenied { option, error } => {
                // An error of the system has a number, and all others here have nothing but a kind.
                let error = error.raw_os_error().map_or(error.kind().into(), io::Error::from_raw_os_error);
                MonitorEvent::OptionDenied { option: *option, error }
            }
            &MonitorEvent::Trimmed { bytes } => MonitorEvent::Trimmed { bytes },
        }
    }
}

/// The thresholds of the events.
#[derive(Clone, Copy)]
pub(super) struct Thresholds {
    /// The rate of misses, and the share of bytes in requests that are too large.
    pub(super) share: f64,
    /// The minimum slot size of a class whose misses are reported, and the minimum size of a request that is
    /// reported as too large.
    pub(super) from_bytes: u64,
    pub(super) trim_after: Option<Duration>,
}

/// An episode of a share above its threshold.
#[derive(Clone, Copy, Default)]
struct Episode {
    is_open: bool,
}

impl Episode {
    /// Returns whether an episode begins with this share. It ends only when slots `serve` requests.
    fn begins(&mut self, share: f64, threshold: f64, serves: bool) -> bool {
        let begins = share > threshold && !self.is_open;
        if begins {
            self.is_open = true;
        } else if serves && share <= threshold / 2.0 {
            self.is_open = false;
        }
        begins
    }
}

pub(super) struct Watch {
    thresholds: Thresholds,
    before: Stats,
    has_changed: bool,
    misses: [Episode; CLASSES],
    too_large: Episode,
    is_denied: bool,
    denied: [bool; MEMORY_OPTIONS],
    /// The time of the last check after a hit above Small; `None` before the first such check, and after a
    /// trim.
    idle_since: Option<Instant>,
    wants_trim: bool,
}

impl Watch {
    pub(super) fn new(before: Stats, thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            before,
            has_changed: false,
            misses: [Episode::default(); CLASSES],
            too_large: Episode::default(),
            is_denied: false,
            denied: [false; MEMORY_OPTIONS],
            idle_since: None,
            wants_trim: false,
        }
    }

    /// Returns the events since the last check.
    pub(super) fn check(&mut self, now: &Stats, denials: &Residency, time: Instant) -> Vec<MonitorEvent> {
        let since = now.since(&self.before);
        let mut events = Vec::new();
        let Thresholds { share, from_bytes, .. } = self.thresholds;
        for ((class, stats), misses) in since.classes().zip(&mut self.misses) {
            let miss_rate = stats.miss_rate();
            if stats.slot_bytes >= from_bytes && misses.begins(miss_rate, share, stats.hits > 0) {
                events.push(MonitorEvent::MissRateHigh { class, miss_rate });
            }
        }
        let large_bytes = since.too_large().map_or(0, |too_large| too_large.bytes);
        let large_share = large_bytes as f64 / since.total_bytes().max(1) as f64;
        // Once there is a table that would serve them. Its figures are of the whole run, as the peak is.
        let too_large = now.too_large().filter(|all| all.needed.is_some() && all.largest >= from_bytes);
        let serves = since.classes().any(|(_, stats)| stats.slot_bytes >= from_bytes && stats.hits > 0);
        if let Some(too_large) = too_large
            && self.too_large.begins(large_share, share, serves)
        {
            events.push(MonitorEvent::TooLarge(too_large));
        }
        if now.reservation().is_failed() && !self.is_denied {
            self.is_denied = true;
            events.push(MonitorEvent::ReservationDenied);
        }
        for (&option, was_denied) in MemoryOption::ALL.iter().zip(&mut self.denied) {
            let denied = denials.denied(option);
            let is_news = denied.is_some() && !*was_denied;
            *was_denied = denied.is_some();
            events
                .extend(denied.filter(|_| is_news).map(|error| MonitorEvent::OptionDenied { option, error }));
        }
        let goes_on = Class::ALL[1..].iter().any(|&class| since.class(class).hits > 0);
        self.check_idleness(goes_on, time);
        self.has_changed = since.total_allocs() > 0 || since.returns() > 0;
        self.before = *now;
        events
    }

    fn check_idleness(&mut self, goes_on: bool, time: Instant) {
        if goes_on {
            self.idle_since = Some(time);
        }
        let idle = self.idle_since.and_then(|since| time.checked_duration_since(since));
        self.wants_trim = self.thresholds.trim_after.zip(idle).is_some_and(|(after, idle)| idle >= after);
        if self.wants_trim {
            self.idle_since = None;
        }
    }

    /// Whether any request or free was counted between the last two checks.
    #[cfg_attr(
        not(feature = "log"),
        expect(dead_code, reason = "only the log skips checks without a change")
    )]
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Whether the allocator has been idle for long enough, for the first time since its last hit above
    /// Small.
    pub(super) fn wants_trim(&self) -> bool {
        self.wants_trim
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{ClassStats, Reservation};

    fn stats(class: Class, hits: u64, misses: u64) -> Stats {
        let mut stats = Stats::default();
        stats.classes[class as usize] =
            ClassStats { slot_bytes: 64 << 10, hits, misses, ..ClassStats::default() };
        stats
    }

    fn watch(before: Stats, trim_after: Option<Duration>) -> Watch {
        Watch::new(before, Thresholds { share: 0.05, from_bytes: 16 << 10, trim_after })
    }

    fn told(watch: &mut Watch, now: &Stats) -> Vec<String> {
        let events = watch.check(now, &Residency::default(), Instant::now());
        events.iter().map(MonitorEvent::to_string).collect()
    }

    #[test]
    fn misses_are_told_once_an_episode_as_a_rate_since_the_last_check() {
        let mut watch = watch(stats(Class::Medium, 1_000, 900), None);
        assert!(told(&mut watch, &stats(Class::Medium, 2_000, 950)).is_empty(), "4.8 %");
        let text = "Medium pool miss rate high: 7.3% - consider increasing pool size";
        assert_eq!(told(&mut watch, &stats(Class::Medium, 2_927, 1_023)), [text]);
        assert!(told(&mut watch, &stats(Class::Medium, 2_927, 2_000)).is_empty(), "still that episode");
        assert!(told(&mut watch, &stats(Class::Medium, 3_927, 2_040)).is_empty(), "3.8 % is not over");
        assert!(told(&mut watch, &stats(Class::Medium, 3_927, 2_140)).is_empty());
        assert!(told(&mut watch, &stats(Class::Medium, 4_927, 2_160)).is_empty(), "2.0 % is");
        assert_eq!(told(&mut watch, &stats(Class::Medium, 4_927, 2_161)).len(), 1);
    }

    #[test]
    fn misses_of_small_slots_are_not_told() {
        let mut watch =
            Watch::new(Stats::default(), Thresholds { share: 0.05, from_bytes: 65_537, trim_after: None });
        assert!(told(&mut watch, &stats(Class::Medium, 0, 900)).is_empty());
    }

    #[test]
    fn an_event_can_be_cloned_with_its_error() {
        for error in [io::Error::from_raw_os_error(1), io::ErrorKind::Unsupported.into()] {
            let event = MonitorEvent::OptionDenied { option: MemoryOption::Lock, error };
            assert_eq!(event.clone().to_string(), event.to_string());
        }
    }

    #[test]
    fn denials_are_reported_once() {
        let mut watch = watch(Stats::default(), None);
        let failed = Stats { reservation: Reservation::Failed(None), ..Stats::default() };
        assert_eq!(told(&mut watch, &failed), ["pool reservation denied: everything goes to the fallback"]);
        assert!(told(&mut watch, &failed).is_empty());
        let mut denials = Residency::default();
        denials.denied[MemoryOption::Lock as usize] = i32::MIN;
        let mut check = |denials: &Residency| -> Vec<String> {
            let events = watch.check(&failed, denials, Instant::now());
            events.iter().map(MonitorEvent::to_string).collect()
        };
        assert_eq!(check(&denials), ["locked memory denied: unsupported"]);
        assert!(check(&denials).is_empty());
        assert!(check(&Residency::default()).is_empty());
        assert_eq!(check(&denials).len(), 1, "granted and denied again");
    }

    #[test]
    fn it_trims_once_after_so_long_without_a_hit_above_small() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut watch = watch(Stats::default(), Some(Duration::from_secs(60)));
        let mut wants = |now: Stats, seconds| {
            watch.check(&now, &Residency::default(), at(seconds));
            watch.wants_trim()
        };
        assert!(!wants(Stats::default(), 100), "nothing has gone on yet");
        assert!(!wants(stats(Class::Large, 5, 0), 200));
        assert!(!wants(stats(Class::Large, 5, 0), 259));
        let mut small = stats(Class::Large, 5, 0);
        small.classes[0].hits = 9;
        assert!(wants(small, 260));
        assert!(!wants(small, 400), "once");
        assert!(!wants(stats(Class::Large, 6, 0), 500));
        assert!(wants(stats(Class::Large, 6, 0), 560));
    }
}
