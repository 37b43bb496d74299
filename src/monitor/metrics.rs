//! Passes the statistics on to the `metrics` facade, under names in the style of Prometheus.
//!
//! | name | kind | labels | unit |
//! |---|---|---|---|
//! | `framepool_hits_total`, `_misses_total`, `_returns_total` | counter | `pool`, `class` | |
//! | `framepool_requested_bytes_total` | counter | `pool`, `class` | bytes |
//! | `framepool_refused_total`, and `_failed_total` among them | counter | `pool`, `reason` | |
//! | `framepool_refused_bytes_total` | counter | `pool`, `reason` | bytes |
//! | `framepool_pooled_bytes_total`, `_fallback_bytes_total` | counter | `pool` | bytes |
//! | `framepool_pooled_share` | gauge | `pool` | 0 to 1, once anything was requested |
//! | `framepool_reserved` | gauge | `pool` | 1 if the pools have their address space, 0 if it was denied |
//! | `framepool_slots`, `_slots_in_use`, `_slots_peak` | gauge | `pool`, `class` | while the pools have their address space |
//! | `framepool_slot_bytes`, `framepool_in_use_bytes` | gauge | `pool`, `class` | bytes, likewise |
//! | `framepool_resident_bytes`, `_huge_bytes`, `_locked_bytes` | gauge | `pool` | bytes, if [shown] |
//!
//! Label values have `_` in place of blanks. A reason is `no_free_slot` for misses, and the name of a bypass
//! otherwise.
//!
//! [shown]: super::MonitorBuilder::show_residency

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use crate::memory::residency::Residency;
use crate::stats::{Refusal, Reservation, Stats};

/// The names, units and descriptions of the counters.
const COUNTERS: [(&str, Unit, &str); 9] = [
    ("framepool_hits_total", Unit::Count, "Requests that got a slot"),
    ("framepool_misses_total", Unit::Count, "Requests that fit a class without a free slot"),
    ("framepool_returns_total", Unit::Count, "Slots given back"),
    ("framepool_requested_bytes_total", Unit::Bytes, "Bytes that slots of a class served"),
    ("framepool_refused_total", Unit::Count, "Requests that no slot served, by reason"),
    ("framepool_refused_bytes_total", Unit::Bytes, "Bytes that no slot served, by reason"),
    ("framepool_failed_total", Unit::Count, "Refused requests that got no memory at all, by reason"),
    ("framepool_pooled_bytes_total", Unit::Bytes, "Bytes that slots served"),
    ("framepool_fallback_bytes_total", Unit::Bytes, "Bytes that the fallback served"),
];

/// The names, units and descriptions of the gauges.
const GAUGES: [(&str, Unit, &str); 10] = [
    ("framepool_pooled_share", Unit::Count, "Share of the requested bytes that slots served"),
    ("framepool_reserved", Unit::Count, "Whether the pools have their address space"),
    ("framepool_slots", Unit::Count, "Slots of a class"),
    ("framepool_slots_in_use", Unit::Count, "Live slots of a class"),
    ("framepool_slots_peak", Unit::Count, "The maximum of live slots of a class at once"),
    ("framepool_slot_bytes", Unit::Bytes, "Bytes of a slot of a class"),
    ("framepool_in_use_bytes", Unit::Bytes, "Bytes of the live slots of a class"),
    ("framepool_resident_bytes", Unit::Bytes, "Resident bytes of the slots"),
    ("framepool_huge_bytes", Unit::Bytes, "Bytes of the slots in huge pages"),
    ("framepool_locked_bytes", Unit::Bytes, "Locked bytes of the slots"),
];

/// The metrics of one pool.
pub(super) struct Metrics {
    pool: String,
}

impl Metrics {
    /// Describes the metrics to the recorder that is installed now.
    pub(super) fn new(pool: &str) -> Self {
        for (name, unit, text) in COUNTERS {
            describe_counter!(name, unit, text);
        }
        for (name, unit, text) in GAUGES {
            describe_gauge!(name, unit, text);
        }
        Self { pool: label(pool) }
    }

    /// Sets all counters and gauges to their present values.
    pub(super) fn tell(&self, stats: &Stats, residency: Option<Residency>) {
        let pool = &self.pool;
        for (class, now) in stats.classes() {
            let labels = [("pool", pool.clone()), ("class", class.name().to_owned())];
            counter!("framepool_hits_total", &labels).absolute(now.hits);
            counter!("framepool_misses_total", &labels).absolute(now.misses);
            counter!("framepool_returns_total", &labels).absolute(now.returns);
            counter!("framepool_requested_bytes_total", &labels).absolute(now.requested_bytes);
            if stats.reservation().has_memory() {
                gauge!("framepool_slots", &labels).set(now.slots as f64);
                gauge!("framepool_slots_in_use", &labels).set(now.in_use as f64);
                gauge!("framepool_slots_peak", &labels).set(now.peak as f64);
                gauge!("framepool_slot_bytes", &labels).set(now.slot_bytes as f64);
                gauge!("framepool_in_use_bytes", &labels).set(now.in_use_bytes() as f64);
            }
        }
        for &reason in Refusal::ALL {
            let labels = [("pool", pool.clone()), ("reason", label(reason.name()))];
            let (mut bytes, mut failed) = (0_u64, 0);
            for sizes in stats.refused().filter(|sizes| sizes.reason == reason) {
                bytes = bytes.wrapping_add(sizes.bytes);
                failed += sizes.failed;
            }
            counter!("framepool_refused_total", &labels).absolute(stats.refused_for(reason));
            counter!("framepool_refused_bytes_total", &labels).absolute(bytes);
            counter!("framepool_failed_total", &labels).absolute(failed);
        }
        let labels = [("pool", pool.clone())];
        counter!("framepool_pooled_bytes_total", &labels).absolute(stats.pooled_bytes());
        counter!("framepool_fallback_bytes_total", &labels).absolute(stats.fallback_bytes());
        if let Some(share) = stats.pooled_share() {
            gauge!("framepool_pooled_share", &labels).set(share);
        }
        if stats.reservation() != Reservation::Pending {
            let is_reserved = stats.reservation().has_memory();
            gauge!("framepool_reserved", &labels).set(if is_reserved { 1.0 } else { 0.0 });
        }
        if let Some(residency) = residency {
            gauge!("framepool_resident_bytes", &labels).set(residency.resident_bytes as f64);
            gauge!("framepool_huge_bytes", &labels).set(residency.huge_bytes as f64);
            gauge!("framepool_locked_bytes", &labels).set(residency.locked_bytes as f64);
        }
    }
}

/// Returns a label's value without blanks.
fn label(text: &str) -> String {
    text.replace(char::is_whitespace, "_")
}
