//! The comparison as plain text.

use crate::cli::Demand;
use crate::diff::{Diff, Fate, Identity, SiteDiff};
use crate::profile::Amounts;

/// Renders the whole report, with this many sites.
pub(crate) fn render(diff: &Diff, demands: &[Demand], top: usize) -> String {
    let mut out = String::new();
    totals(&mut out, diff);
    match &diff.identity {
        Some(of) => identity(&mut out, of),
        None => line(
            &mut out,
            "Identity: unknown, because the figures of the pools were not kept (POOL.pools.json).\n",
        ),
    }
    pools(&mut out, diff);
    sites(&mut out, diff, top);
    for demand in demands {
        line(&mut out, &format!("{} {}", if demand.holds { "met:    " } else { "NOT MET:" }, demand.text));
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn totals(out: &mut String, diff: &Diff) {
    line(out, &format!("{:<12}{:>24}{:>24}{:>12}", "", "system", "pools", "absorbed"));
    let Amounts { blocks, bytes, peak_blocks, peak_bytes, end_blocks, end_bytes } = diff.system;
    let rows = [
        ("blocks", blocks, diff.pool.blocks),
        ("bytes", bytes, diff.pool.bytes),
        ("t-gmax", peak_bytes, diff.pool.peak_bytes),
        ("  blocks", peak_blocks, diff.pool.peak_blocks),
        ("t-end", end_bytes, diff.pool.end_bytes),
        ("  blocks", end_blocks, diff.pool.end_blocks),
    ];
    for (name, system, pool) in rows {
        let share = match system {
            0 => String::new(),
            _ => format!("{:.2} %", 100.0 * (system as f64 - pool as f64) / system as f64),
        };
        line(out, &format!("{name:<12}{:>24}{:>24}{share:>12}", grouped(system), grouped(pool)));
    }
    line(out, "");
}

fn identity(out: &mut String, identity: &Identity) {
    let Identity { off, on, closes, agrees } = identity;
    let verdict = if *closes {
        "closes: nothing slipped by".to_owned()
    } else {
        format!(
            "does NOT close: off by {} blocks and {} bytes (if the runs did the same work)",
            signed(off.blocks, on.blocks),
            signed(off.bytes, on.bytes)
        )
    };
    line(out, &format!("Identity: {verdict}"));
    line(out, &format!("  off: {:>15} blocks {:>22} bytes", grouped(off.blocks), grouped(off.bytes)));
    line(
        out,
        &format!(
            "  on:  {:>15} blocks {:>22} bytes, served by slots or seen by dhat",
            grouped(on.blocks),
            grouped(on.bytes)
        ),
    );
    if let Some(agrees) = agrees {
        let agreement = if *agrees { "agree to the block" } else { "do NOT agree" };
        line(out, &format!("  The pools' statistics and dhat {agreement} on what reached the fallback."));
    }
    line(out, "");
}

fn pools(out: &mut String, diff: &Diff) {
    let Some(pools) = &diff.pools else { return };
    line(
        out,
        &format!(
            "What dhat cannot see: {} reserved, {} of it resident at the end.",
            bytes(pools.reserved_bytes),
            bytes(pools.resident_bytes)
        ),
    );
    line(out, &format!("  Pooled: {} of the requested bytes", pools.share()));
    for class in &pools.classes {
        line(
            out,
            &format!(
                "  {:<8}{:>10}-byte slots  {:>12} hits {:>8} misses  peak {:>5} of {:<5}",
                class.name,
                grouped(class.slot_bytes),
                grouped(class.hits),
                grouped(class.misses),
                class.peak,
                class.slots
            ),
        );
    }
    let bypasses: Vec<String> = pools
        .bypasses
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{reason} {}", grouped(*count)))
        .collect();
    if !bypasses.is_empty() {
        line(out, &format!("  Bypasses: {}", bypasses.join(", ")));
    }
    line(out, "");
}

fn sites(out: &mut String, diff: &Diff, top: usize) {
    let count = |fate: Fate| diff.sites.iter().filter(|site| site.fate == fate).count();
    line(
        out,
        &format!(
            "Sites: {} absorbed, {} changed, {} the same, {} new, {} moved out of the pools by realloc",
            count(Fate::Absorbed),
            count(Fate::Changed),
            count(Fate::Same),
            count(Fate::New),
            count(Fate::Moved)
        ),
    );
    line(
        out,
        &format!(
            "{:>18}{:>10}{:>18}{:>10}  {:<9}site",
            "system bytes", "blocks", "pools bytes", "blocks", ""
        ),
    );
    for SiteDiff { title, fate, system, pool, .. } in diff.sites.iter().take(top) {
        line(
            out,
            &format!(
                "{:>18}{:>10}{:>18}{:>10}  {:<9}{title}",
                grouped(system.bytes),
                grouped(system.blocks),
                grouped(pool.bytes),
                grouped(pool.blocks),
                word(*fate)
            ),
        );
    }
    if diff.sites.len() > top {
        line(out, &format!("... and {} more (--top {})", diff.sites.len() - top, diff.sites.len()));
    }
}

/// Returns the fate of a site in one word.
pub(crate) fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Absorbed => "absorbed",
        Fate::Changed => "changed",
        Fate::Same => "same",
        Fate::New => "new",
        Fate::Moved => "moved",
    }
}

/// Formats a count with separated thousands.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats bytes in a unit that suits them.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        few if few < 1_024.0 => format!("{bytes} B"),
        some if some < 1_048_576.0 => format!("{:.1} KiB", some / 1_024.0),
        many => format!("{:.1} MiB", many / 1_048_576.0),
    }
}

/// Returns how much more the second is than the first, with a sign.
pub(crate) fn signed(first: u64, second: u64) -> String {
    if second >= first {
        format!("+{}", grouped(second - first))
    } else {
        format!("-{}", grouped(first - second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1_000, 1_234_567].map(grouped).each_ref().map(String::as_str)
        );
        assert_eq!((signed(5, 7), signed(7_000, 5)), ("+2".to_owned(), "-6,995".to_owned()));
    }
}
