//! The requests that no pool served although the pools were on: by size, with the reason, and the `Config`
//! that would serve them.

use std::fmt::{self, Write as _};

use framepool::{Class, Config};

use crate::figures::Figures;
use crate::meter::SMALL;
use crate::server::QUEUE;
use crate::spread::grouped;
use crate::tables::Table;

/// The maximum number of pictures of one client that are alive at once: those in its queue, the frame and the
/// picture that its capture thread holds, and the picture that its encoder holds.
const ALIVE: usize = QUEUE + 3;

/// The number of sizes that get a line each. The rest share one line.
const LISTED: usize = 20;

/// Writes the list, and the advice if there is any.
pub(crate) fn write(out: &mut String, run: &Figures, table: Table, clients: u32) -> fmt::Result {
    let unserved = &run.unserved;
    if unserved.total() == 0 {
        return writeln!(out, "Every request was served by a pool.");
    }
    writeln!(out, "Requests that no pool served, by size:")?;
    writeln!(out, "{:>14}  {:>10}  {:>8}  why", "bytes", "requests", "a frame")?;
    let mut line = |bytes: &str, count: u64, why: &str| {
        let per_frame = count as f64 / run.captured.max(1) as f64;
        writeln!(out, "{bytes:>14}  {:>10}  {per_frame:>8.2}  {why}", grouped(count, ','))
    };
    if unserved.small > 0 {
        line(&format!("below {SMALL}"), unserved.small, &why(table.config(), SMALL - 1))?;
    }
    let mut sizes: Vec<(usize, u64)> = unserved.sizes.iter().map(|(&size, &count)| (size, count)).collect();
    sizes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    for &(size, count) in sizes.iter().take(LISTED) {
        line(&grouped(size as u64, ','), count, &why(table.config(), size))?;
    }
    let unlisted = sizes.iter().skip(LISTED).map(|&(_, count)| count).sum::<u64>() + unserved.others;
    if unlisted > 0 {
        line("others", unlisted, "more sizes than this list has lines")?;
    }
    match frames_too_large(run, table.config()) {
        Some(size) => write_advice(out, size, clients),
        None => Ok(()),
    }
}

/// Explains why a request of `size` bytes went past the pools.
fn why(config: &Config, size: usize) -> String {
    match Class::ALL.into_iter().find(|&class| size <= config.slot_bytes(class)) {
        None => {
            format!("larger than a slot of XLarge, {}", grouped(config.slot_bytes(Class::XLarge) as u64, ','))
        }
        Some(class) => format!("fits {class}, whose slots were taken or held back"),
    }
}

/// Returns the largest size above XLarge's slots that was requested at least every other frame.
pub(crate) fn frames_too_large(run: &Figures, config: &Config) -> Option<usize> {
    let often = |&(&size, &count): &(&usize, &u64)| {
        size > config.slot_bytes(Class::XLarge) && 2 * count >= run.captured
    };
    run.unserved.sizes.iter().filter(often).map(|(&size, _)| size).max()
}

fn write_advice(out: &mut String, size: usize, clients: u32) -> fmt::Result {
    let slot_bytes = size.next_multiple_of(64) as u64;
    let slots = clients as usize * ALIVE;
    writeln!(out, "\nFrames of {} bytes do not fit. This would fit them:", grouped(size as u64, ','))?;
    writeln!(
        out,
        "    Config::new().class(Class::XLarge, {}, {slots}) // {clients} clients x {ALIVE} pictures alive at once",
        grouped(slot_bytes, '_')
    )?;
    match Table::ALL.into_iter().find(|table| size <= table.config().slot_bytes(Class::XLarge)) {
        Some(fits) => writeln!(out, "Try it with --table {}.", fits.name()),
        None => writeln!(out, "None of this example's tables has such slots."),
    }
}
