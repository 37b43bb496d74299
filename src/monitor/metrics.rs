//! Passes the statistics on to the `metrics` facade, under names in the style of Prometheus.
//!
//! | name | kind | labels | unit |
//! |---|---|---|---|
//! | `framepool_hits_total`, `_misses_total`, `_returns_total` | counter | `pool`, `class` | |
//! | `framepool_bypasses_total` | counter | `pool`, `reason` | |
//! | `framepool_requested_bytes_total` | counter | `pool`, `class` | bytes |
//! | `framepool_fallback_bytes_total` | counter | `pool` | bytes |
//! | `framepool_slots`, `_slots_in_use`, `_slots_peak` | gauge | `pool`, `class` | |
//! | `framepool_slot_bytes` | gauge | `pool`, `class` | bytes |
//! | `framepool_reserved` | gauge | `pool` | 1 if the pools have their address space, else 0 |
//! | `framepool_resident_bytes`, `_huge_bytes`, `_locked_bytes` | gauge | `pool` | bytes, if [shown] |
//!
//! [shown]: super::MonitorBuilder::show_residency

use metrics::{counter, gauge};

use crate::memory::residency::Residency;
use crate::slots::class::Class;
use crate::stats::{Bypass, Reservation, Stats};

/// Sets all counters and gauges to their present values.
pub(super) fn tell(pool: &'static str, stats: &Stats, residency: Option<Residency>) {
    for class in Class::ALL {
        let now = stats.class(class);
        let class = class.name();
        counter!("framepool_hits_total", "pool" => pool, "class" => class).absolute(now.hits);
        counter!("framepool_misses_total", "pool" => pool, "class" => class).absolute(now.misses);
        counter!("framepool_returns_total", "pool" => pool, "class" => class).absolute(now.returns);
        let requested = counter!("framepool_requested_bytes_total", "pool" => pool, "class" => class);
        requested.absolute(now.requested_bytes);
        gauge!("framepool_slots", "pool" => pool, "class" => class).set(now.slots as f64);
        gauge!("framepool_slots_in_use", "pool" => pool, "class" => class).set(now.in_use as f64);
        gauge!("framepool_slots_peak", "pool" => pool, "class" => class).set(now.peak as f64);
        gauge!("framepool_slot_bytes", "pool" => pool, "class" => class).set(now.slot_bytes as f64);
    }
    for reason in Bypass::ALL {
        let bypasses = counter!("framepool_bypasses_total", "pool" => pool, "reason" => reason.name());
        bypasses.absolute(stats.bypassed(reason));
    }
    counter!("framepool_fallback_bytes_total", "pool" => pool).absolute(stats.fallback_bytes());
    let is_reserved = stats.reservation() == Reservation::Ready;
    gauge!("framepool_reserved", "pool" => pool).set(if is_reserved { 1.0 } else { 0.0 });
    if let Some(residency) = residency {
        gauge!("framepool_resident_bytes", "pool" => pool).set(residency.resident_bytes as f64);
        gauge!("framepool_huge_bytes", "pool" => pool).set(residency.huge_bytes as f64);
        gauge!("framepool_locked_bytes", "pool" => pool).set(residency.locked_bytes as f64);
    }
}
