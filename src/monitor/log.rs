//! What goes to the `log` facade.

use super::MonitorEvent;
use crate::stats::Stats;

const TARGET: &str = "framepool";

/// The table, if there is one to be shown, and the events.
pub(super) fn tell(name: &str, table: Option<&Stats>, events: &[MonitorEvent]) {
    if let Some(stats) = table {
        log::info!(target: TARGET, "{}", stats.named(name));
    }
    for event in events {
        let level = if event.is_warning() { log::Level::Warn } else { log::Level::Info };
        log::log!(target: TARGET, level, "{name}: {event}");
    }
}
