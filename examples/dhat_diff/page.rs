//! The comparison as an HTML page: one file that needs nothing else, for light and dark mode, and for wide
//! and narrow screens.

use std::fmt::{self, Write};

use crate::diff::{Diff, SiteDiff};
use crate::profile::Amounts;
use crate::report::{bytes, grouped, signed, word};

const STYLE: &str = include_str!("page.css");

/// Renders the whole page, with this many sites. `commands` are the command lines of the two runs, off and
/// on.
///
/// # Errors
///
/// Never: writing to a string always works.
pub(crate) fn render(out: &mut String, diff: &Diff, commands: &[String; 2], top: usize) -> fmt::Result {
    let title = "What the pools absorb";
    writeln!(out, "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>")?;
    writeln!(out, "<meta name=viewport content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n<main>")?;
    head(out, title, commands)?;
    cards(out, diff)?;
    identity(out, diff)?;
    live(out, diff)?;
    sizes(out, diff)?;
    sites(out, diff, top)?;
    pools(out, diff)?;
    writeln!(
        out,
        "<h2>What this page cannot show</h2>\n<p class=muted>dhat counts requests. How long they took, page faults and resident \
         memory are another measurement: see <code>examples/video_chat</code> and <code>benches/README.md</code>.</p>\n</main>"
    )?;
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns the command line with the names of files but without their folders.
fn without_folders(command: &str) -> String {
    let words = command.split(' ').map(|word| word.rsplit('/').next().unwrap_or(word));
    words.collect::<Vec<_>>().join(" ")
}

fn head(out: &mut String, title: &str, commands: &[String; 2]) -> fmt::Result {
    writeln!(
        out,
        "<h1>{title}</h1>\n<p class=muted>Two dhat profiles of the same work, pools off and pools on.</p>"
    )?;
    for (name, command) in ["off", "on"].iter().zip(commands) {
        writeln!(out, "<p class=path>{name}: {}</p>", escaped(&without_folders(command)))?;
    }
    Ok(())
}

fn cards(out: &mut String, diff: &Diff) -> fmt::Result {
    let card = |out: &mut String, name: &str, value: &str, note: &str| {
        writeln!(out, "<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>")
    };
    writeln!(out, "<dl class=cards>")?;
    card(
        out,
        "Bytes absorbed",
        &format!("{:.2} %", diff.absorbed_bytes_percent),
        &format!("{} of {} left", bytes(diff.pool.bytes), bytes(diff.system.bytes)),
    )?;
    card(
        out,
        "Blocks absorbed",
        &format!("{:.2} %", diff.absorbed_blocks_percent),
        &format!("{} of {} left", grouped(diff.pool.blocks), grouped(diff.system.blocks)),
    )?;
    card(
        out,
        "Most live at once",
        &bytes(diff.pool.peak_bytes),
        &format!("{} without the pools", bytes(diff.system.peak_bytes)),
    )?;
    if let Some(pools) = &diff.pools {
        card(
            out,
            "Held by the pools",
            &bytes(pools.reserved_bytes),
            &format!("reserved, {} of it resident", bytes(pools.resident_bytes)),
        )?;
    }
    writeln!(out, "</dl>")?;
    Ok(())
}

fn identity(out: &mut String, diff: &Diff) -> fmt::Result {
    writeln!(out, "<h2>Did anything slip by?</h2>")?;
    let Some(identity) = &diff.identity else {
        writeln!(out, "<p class=verdict>Unknown: the figures of the pools were not kept.</p>")?;
        return Ok(());
    };
    let (off, on) = (identity.off, identity.on);
    let (class, verdict) = if identity.closes {
        ("good", "No. The identity closes to the last block and byte.".to_owned())
    } else {
        (
            "bad",
            format!(
                "The identity is off by {} blocks and {} bytes, if the runs did the same work.",
                signed(off.blocks, on.blocks),
                signed(off.bytes, on.bytes)
            ),
        )
    };
    writeln!(out, "<div class=\"verdict {class}\"><p><b>{verdict}</b></p>")?;
    writeln!(
        out,
        "<p>Off: {} blocks, {} bytes. On: {} blocks, {} bytes, served by slots or seen by dhat.</p>",
        grouped(off.blocks),
        grouped(off.bytes),
        grouped(on.blocks),
        grouped(on.bytes)
    )?;
    if let Some(agrees) = identity.agrees {
        let agreement = if agrees { "agree to the block" } else { "do not agree" };
        writeln!(out, "<p>The pools' statistics and dhat {agreement} on what reached the fallback.</p>")?;
    }
    writeln!(out, "</div>")?;
    Ok(())
}

fn key(out: &mut String) -> fmt::Result {
    writeln!(out, "<p class=key><span class=s>pools off</span><span class=p>pools on</span></p>")?;
    Ok(())
}

/// Writes a bar for each run, as long as its share of `max`.
fn bars(out: &mut String, values: [(u64, &str); 2], max: u64) -> fmt::Result {
    write!(out, "<div class=bars>")?;
    for (class, (value, text)) in ["s", "p"].iter().zip(values) {
        let percent = 100.0 * value as f64 / max.max(1) as f64;
        let none = if value == 0 { " none" } else { "" };
        write!(
            out,
            "<div class=\"bar {class}\"><i class=\"{none}\" style=\"--w:{percent:.2}%\"></i><span>{text}</span></div>"
        )?;
    }
    writeln!(out, "</div>")?;
    Ok(())
}

fn rows(out: &mut String, rows: &[(String, [u64; 2])], show: fn(u64) -> String) -> fmt::Result {
    let max = rows.iter().flat_map(|(_, values)| *values).max().unwrap_or(0);
    writeln!(out, "<div class=rows>")?;
    for (name, [system, pool]) in rows {
        write!(out, "<div class=name>{name}</div>")?;
        bars(out, [(*system, &show(*system)), (*pool, &show(*pool))], max)?;
    }
    writeln!(out, "</div>")?;
    Ok(())
}

fn live(out: &mut String, diff: &Diff) -> fmt::Result {
    writeln!(out, "<h2>Live bytes</h2>\n<p class=muted>What the system's allocator had to hold.</p>")?;
    key(out)?;
    rows(
        out,
        &[
            ("at t-gmax, when most was live".to_owned(), [diff.system.peak_bytes, diff.pool.peak_bytes]),
            ("at t-end, when the profiler stopped".to_owned(), [diff.system.end_bytes, diff.pool.end_bytes]),
        ],
        bytes,
    )?;
    if let Some(pools) = &diff.pools {
        writeln!(
            out,
            "<p>dhat does not see the pools' own memory: {} of address space, {} of it resident at the end.</p>",
            bytes(pools.reserved_bytes),
            bytes(pools.resident_bytes)
        )?;
    }
    Ok(())
}

/// The bins of the histogram: the upper end in bytes, and the name.
const BINS: [(u64, &str); 9] = [
    (64, "up to 64 B"),
    (256, "to 256 B"),
    (1 << 10, "to 1 KiB"),
    (4 << 10, "to 4 KiB"),
    (16 << 10, "to 16 KiB"),
    (64 << 10, "to 64 KiB"),
    (256 << 10, "to 256 KiB"),
    (2 << 20, "to 2 MiB"),
    (u64::MAX, "larger"),
];

fn sizes(out: &mut String, diff: &Diff) -> fmt::Result {
    writeln!(
        out,
        "<h2>Blocks by size</h2>\n<p class=muted>A site counts with the mean size of its blocks.</p>"
    )?;
    key(out)?;
    let mut bins = BINS.map(|(_, name)| (name.to_owned(), [0, 0]));
    for site in &diff.sites {
        for (run, amounts) in [site.system, site.pool].into_iter().enumerate() {
            let mean = amounts.bytes / amounts.blocks.max(1);
            let bin = BINS.iter().position(|(end, _)| mean <= *end).unwrap_or(BINS.len() - 1);
            bins[bin].1[run] += amounts.blocks;
        }
    }
    rows(out, &bins, grouped)?;
    Ok(())
}

fn sites(out: &mut String, diff: &Diff, top: usize) -> fmt::Result {
    writeln!(out, "<h2>Sites</h2>\n<p class=muted>The largest first. Open one for its stack.</p>")?;
    key(out)?;
    let shown: Vec<&SiteDiff> = diff.sites.iter().take(top).collect();
    let max = shown.iter().map(|site| site.system.bytes.max(site.pool.bytes)).max().unwrap_or(0);
    for SiteDiff { title, fate, system, pool, stack } in &shown {
        let (word, text) = (word(*fate), escaped(title));
        writeln!(
            out,
            "<details><summary><span class=path>{text}</span><span class=\"fate {word}\">{word}</span>"
        )?;
        let label = |amounts: &Amounts| match amounts.blocks {
            0 => "nothing".to_owned(),
            1 => format!("{} in 1 block", bytes(amounts.bytes)),
            blocks => format!("{} in {} blocks", bytes(amounts.bytes), grouped(blocks)),
        };
        bars(out, [(system.bytes, &label(system)), (pool.bytes, &label(pool))], max)?;
        writeln!(out, "</summary><ol class=path>")?;
        for frame in stack {
            writeln!(out, "<li>{}", escaped(frame))?;
        }
        writeln!(out, "</ol></details>")?;
    }
    if diff.sites.len() > shown.len() {
        writeln!(out, "<p class=muted>and {} more</p>", diff.sites.len() - shown.len())?;
    }
    Ok(())
}

fn pools(out: &mut String, diff: &Diff) -> fmt::Result {
    let Some(pools) = &diff.pools else { return Ok(()) };
    writeln!(out, "<h2>What the pools held</h2>\n<div class=scroll><table>")?;
    writeln!(out, "<tr><th>class<th>slot<th>hits<th>misses<th>peak in use<th>slots")?;
    for class in &pools.classes {
        writeln!(
            out,
            "<tr><td>{}<td>{} B<td>{}<td>{}<td>{}<td>{}",
            escaped(&class.name),
            grouped(class.slot_bytes),
            grouped(class.hits),
            grouped(class.misses),
            grouped(class.peak),
            grouped(class.slots)
        )?;
    }
    writeln!(out, "</table></div>\n<p>Pooled: {} of the requested bytes.</p>", pools.share())?;
    let bypasses: Vec<String> = pools
        .bypasses
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{} {}", escaped(reason), grouped(*count)))
        .collect();
    if !bypasses.is_empty() {
        writeln!(out, "<p>Past the pools: {}.</p>", bypasses.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Fate;
    use crate::profile::Amounts;

    #[test]
    fn what_a_profile_says_is_text_and_no_markup() {
        let site = SiteDiff {
            title: "<script>alert(1)</script> & \"co\"".to_owned(),
            fate: Fate::New,
            system: Amounts::default(),
            pool: Amounts { blocks: 1, bytes: 5, ..Amounts::default() },
            stack: vec!["<alloc::Global>".to_owned()],
        };
        let diff = Diff {
            system: Amounts::default(),
            pool: site.pool,
            absorbed_bytes_percent: 0.0,
            absorbed_blocks_percent: 0.0,
            identity: None,
            pools: None,
            sites: vec![site],
        };
        let mut page = String::new();
        render(&mut page, &diff, &["a <b>".to_owned(), String::new()], 5).expect("a string");
        assert!(!page.contains("<script") && !page.contains("<alloc") && !page.contains("a <b>"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;co&quot;"));
    }
}
