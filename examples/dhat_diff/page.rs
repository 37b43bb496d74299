//! The comparison as a page: one file that needs nothing else, for light and dark, wide and narrow.

use std::fmt::Write;

use crate::diff::{Diff, SiteDiff};
use crate::report::{grouped, mib, signed, word};

const STYLE: &str = include_str!("page.css");

/// The whole page, with this many sites. `commands` are what was run, off and on.
pub(crate) fn render(diff: &Diff, commands: &[String; 2], top: usize) -> String {
    let mut out = String::new();
    let title = "What the pools absorb";
    put(&mut out, format_args!("<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"));
    put(&mut out, format_args!("<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"));
    put(&mut out, format_args!("<title>{title}</title>\n<style>\n{STYLE}</style>\n<main>\n"));
    head(&mut out, title, commands);
    cards(&mut out, diff);
    identity(&mut out, diff);
    live(&mut out, diff);
    sizes(&mut out, diff);
    sites(&mut out, diff, top);
    pools(&mut out, diff);
    put(
        &mut out,
        format_args!(
            "<h2>What this page cannot show</h2>\n<p class=muted>dhat counts requests. How long they took, page faults and resident \
         memory are another measurement: see <code>examples/video_chat</code> and <code>benches/README.md</code>.</p>\n</main>\n"
        ),
    );
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn head(out: &mut String, title: &str, commands: &[String; 2]) {
    put(
        out,
        format_args!(
            "<h1>{title}</h1>\n<p class=muted>Two dhat profiles of the same work, pools off and pools on.</p>\n"
        ),
    );
    for (name, command) in ["off", "on"].iter().zip(commands) {
        put(out, format_args!("<p class=path>{name}: {}</p>\n", escaped(command)));
    }
}

fn cards(out: &mut String, diff: &Diff) {
    let card = |out: &mut String, name: &str, value: &str, note: &str| {
        put(out, format_args!("<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>\n"));
    };
    put(out, format_args!("<dl class=cards>\n"));
    card(
        out,
        "Bytes absorbed",
        &format!("{:.2} %", diff.absorbed_bytes_percent),
        &format!("{} of {} left", mib(diff.pool.bytes), mib(diff.system.bytes)),
    );
    card(
        out,
        "Blocks absorbed",
        &format!("{:.2} %", diff.absorbed_blocks_percent),
        &format!("{} of {} left", grouped(diff.pool.blocks), grouped(diff.system.blocks)),
    );
    card(
        out,
        "Most live at once",
        &mib(diff.pool.peak_bytes),
        &format!("{} without the pools", mib(diff.system.peak_bytes)),
    );
    if let Some(pools) = &diff.pools {
        card(
            out,
            "Held by the pools",
            &mib(pools.reserved_bytes),
            &format!("reserved, {} of it resident", mib(pools.resident_bytes)),
        );
    }
    put(out, format_args!("</dl>\n"));
}

fn identity(out: &mut String, diff: &Diff) {
    put(out, format_args!("<h2>Did anything slip by?</h2>\n"));
    let Some(identity) = &diff.identity else {
        put(out, format_args!("<p class=verdict>Unknown: nobody kept what the pools served.</p>\n"));
        return;
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
    put(out, format_args!("<div class=\"verdict {class}\"><p><b>{verdict}</b></p>\n"));
    put(
        out,
        format_args!(
            "<p>Off: {} blocks, {} bytes. On: {} blocks, {} bytes, served by slots or seen by dhat.</p>\n",
            grouped(off.blocks),
            grouped(off.bytes),
            grouped(on.blocks),
            grouped(on.bytes)
        ),
    );
    let agreement = if identity.agrees { "agree to the block" } else { "do not agree" };
    put(
        out,
        format_args!(
            "<p>The pools' statistics and dhat {agreement} on what reached the fallback.</p></div>\n"
        ),
    );
}

fn key(out: &mut String) {
    put(out, format_args!("<p class=key><span class=s>pools off</span><span class=p>pools on</span></p>\n"));
}

/// A bar for each run, as long as its share of `most`.
fn bars(out: &mut String, values: [(u64, &str); 2], most: u64) {
    put(out, format_args!("<div class=bars>"));
    for (class, (value, text)) in ["s", "p"].iter().zip(values) {
        let percent = 100.0 * value as f64 / most.max(1) as f64;
        let none = if value == 0 { " none" } else { "" };
        put(
            out,
            format_args!(
                "<div class=\"bar {class}\"><i class=\"{none}\" style=\"--w:{percent:.2}%\"></i><span>{text}</span></div>"
            ),
        );
    }
    put(out, format_args!("</div>\n"));
}

fn rows(out: &mut String, rows: &[(String, [u64; 2])], show: fn(u64) -> String) {
    let most = rows.iter().flat_map(|(_, values)| *values).max().unwrap_or(0);
    put(out, format_args!("<div class=rows>\n"));
    for (name, [system, pool]) in rows {
        put(out, format_args!("<div class=name>{name}</div>"));
        bars(out, [(*system, &show(*system)), (*pool, &show(*pool))], most);
    }
    put(out, format_args!("</div>\n"));
}

fn live(out: &mut String, diff: &Diff) {
    put(
        out,
        format_args!("<h2>Live bytes</h2>\n<p class=muted>What the system's allocator had to hold.</p>\n"),
    );
    key(out);
    rows(
        out,
        &[
            ("at t-gmax, when most was live".to_owned(), [diff.system.peak_bytes, diff.pool.peak_bytes]),
            ("at t-end, when the profiler stopped".to_owned(), [diff.system.end_bytes, diff.pool.end_bytes]),
        ],
        mib,
    );
    if let Some(pools) = &diff.pools {
        put(
            out,
            format_args!(
                "<p>dhat does not see the pools' own memory: {} of address space, {} of it resident at the end.</p>\n",
                mib(pools.reserved_bytes),
                mib(pools.resident_bytes)
            ),
        );
    }
}

/// Upper ends of the bars of the histogram, in bytes.
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

fn sizes(out: &mut String, diff: &Diff) {
    put(
        out,
        format_args!(
            "<h2>Blocks by size</h2>\n<p class=muted>A site counts with the mean size of its blocks.</p>\n"
        ),
    );
    key(out);
    let mut bins = BINS.map(|(_, name)| (name.to_owned(), [0, 0]));
    for site in &diff.sites {
        for (run, amounts) in [site.system, site.pool].into_iter().enumerate() {
            let mean = amounts.bytes / amounts.blocks.max(1);
            let bin = BINS.iter().position(|(end, _)| mean <= *end).unwrap_or(BINS.len() - 1);
            bins[bin].1[run] += amounts.blocks;
        }
    }
    rows(out, &bins, grouped);
}

fn sites(out: &mut String, diff: &Diff, top: usize) {
    put(
        out,
        format_args!(
            "<h2>Sites</h2>\n<p class=muted>By the bytes that the pools absorb. Open one for its stack.</p>\n"
        ),
    );
    key(out);
    let shown: Vec<&SiteDiff> = diff.sites.iter().take(top).collect();
    let most = shown.iter().map(|site| site.system.bytes.max(site.pool.bytes)).max().unwrap_or(0);
    for SiteDiff { title, fate, system, pool, stack } in &shown {
        let (word, text) = (word(*fate), escaped(title));
        put(
            out,
            format_args!(
                "<details><summary><span class=path>{text}</span><span class=\"fate {word}\">{word}</span>\n"
            ),
        );
        let label = |bytes: u64, blocks: u64| format!("{} in {}", mib(bytes), grouped(blocks));
        bars(
            out,
            [
                (system.bytes, &label(system.bytes, system.blocks)),
                (pool.bytes, &label(pool.bytes, pool.blocks)),
            ],
            most,
        );
        put(out, format_args!("</summary><ol class=path>\n"));
        for frame in stack {
            put(out, format_args!("<li>{}\n", escaped(frame)));
        }
        put(out, format_args!("</ol></details>\n"));
    }
    if diff.sites.len() > shown.len() {
        put(out, format_args!("<p class=muted>and {} more</p>\n", diff.sites.len() - shown.len()));
    }
}

fn pools(out: &mut String, diff: &Diff) {
    let Some(pools) = &diff.pools else { return };
    put(out, format_args!("<h2>What the pools held</h2>\n<div class=scroll><table>\n"));
    put(out, format_args!("<tr><th>class<th>slot<th>hits<th>misses<th>peak in use<th>slots\n"));
    for class in &pools.classes {
        put(
            out,
            format_args!(
                "<tr><td>{}<td>{} B<td>{}<td>{}<td>{}<td>{}\n",
                escaped(&class.name),
                grouped(class.slot_bytes),
                grouped(class.hits),
                grouped(class.misses),
                grouped(class.peak),
                grouped(class.slots)
            ),
        );
    }
    put(out, format_args!("</table></div>\n"));
    let bypasses: Vec<String> = pools
        .bypasses
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{} {}", escaped(reason), grouped(*count)))
        .collect();
    if !bypasses.is_empty() {
        put(out, format_args!("<p>Past the pools: {}.</p>\n", bypasses.join(", ")));
    }
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
        let page = render(&diff, &["a <b>".to_owned(), String::new()], 5);
        assert!(!page.contains("<script") && !page.contains("<alloc") && !page.contains("a <b>"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;co&quot;"));
    }
}
