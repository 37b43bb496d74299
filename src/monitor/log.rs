//! Passes statistics and events on to the `log` facade: warnings at level warn, all else at level debug.

use super::MonitorEvent;
use crate::stats::Stats;

const TARGET: &str = "framepool";

/// Logs the table, if there is one, and the events.
pub(super) fn tell(name: &str, table: Option<&Stats>, events: &[MonitorEvent]) {
    if let Some(stats) = table {
        log::debug!(target: TARGET, "{}", stats.named(name));
    }
    for event in events {
        let level = if event.is_warning() { log::Level::Warn } else { log::Level::Debug };
        log::log!(target: TARGET, level, "{name}: {event}");
    }
}
