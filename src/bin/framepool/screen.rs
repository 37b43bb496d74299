//! The screen of `framepool top`: a summary at the top, a panel for each class, the requests that went past the pools, the
//! memory, the keys with a legend. `examples/top` draws it too.
//!
//! Each state has its own character, so the screen is readable without colours.

use framepool::{Bypass, Class, SlotState};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::bar;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use crate::look::{Look, mib};

/// The texts of a screen that depend on the program which draws it.
pub(crate) struct Labels<'a> {
    /// The description of the pools that are watched.
    pub(crate) watching: &'a str,
    /// The keys beside `q` and `?`.
    pub(crate) keys: &'a str,
    /// Whether the explanation is shown.
    pub(crate) explains: bool,
}

/// The characters of a slot's states.
const LEGEND: &str = "# live  o cached  . free";

/// The explanation of the screen.
const EXPLANATION: &str = "\
A panel is a size class. Each character is a slot, or several slots if there is no room for all of them:

#  live: a block lives in it
o  cached: free, in the magazine of one thread, which takes it without an atomic operation
.  free: in the set that all threads share

Peak is the maximum number that was live at once. A miss is a request that fits the class and found no slot; the fallback \
served it. The bars of the hit rate go from the past at the left to now at the right, a quarter of a second each: green \
is 100 %, red is below, its height the share of hits, and a gap is a time without requests.

Past the pools are the requests that the fallback served, by reason, since the start and now: a table of other sizes or \
more slots would serve them. `framepool advise` finds one.

Memory is what the slots have, as the kernel says; untouched slots have none.";

pub(crate) fn all(frame: &mut Frame<'_>, look: &Look, labels: &Labels<'_>) {
    const HEAD: u16 = 2;
    const FOOT: u16 = 5;
    const KEYS: u16 = 1;
    // A panel needs borders, at least one line of cells, and one line for the rate. Small has the most slots,
    // and gets the rest of the height.
    let left = frame.area().height.saturating_sub(HEAD + FOOT + KEYS);
    let panel = Constraint::Length((left / 5).clamp(4, 6));
    let panels = Layout::vertical([
        Constraint::Length(HEAD),
        Constraint::Fill(1),
        panel,
        panel,
        panel,
        Constraint::Length(FOOT),
        Constraint::Length(KEYS),
    ]);
    let [head, small, medium, large, xlarge, foot, keys] = panels.areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines(look, labels)), head);
    for (class, area) in Class::ALL.into_iter().zip([small, medium, large, xlarge]) {
        draw_class(frame, look, class, area);
    }
    let [past_pools, memory] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(foot);
    frame.render_widget(
        Paragraph::new(refused_lines(look)).block(Block::bordered().title("Past the pools")),
        past_pools,
    );
    frame.render_widget(Paragraph::new(memory_lines(look)).block(Block::bordered().title("Memory")), memory);
    let help = format!("q quit   ? help   {}", labels.keys);
    let end = if look.said.is_empty() { LEGEND.into() } else { look.said.as_str().bold() };
    frame.render_widget(Line::from(vec![help.dim(), "   ".into(), end]), keys);
    if labels.explains {
        explain(frame);
    }
}

/// Draws the explanation over the screen.
fn explain(frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = (area.width.min(76), area.height.min(23));
    let area = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    let block = Block::bordered().title(" What this shows (any key closes it) ");
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(EXPLANATION).wrap(Wrap { trim: false }).block(block), area);
}

fn head_lines(look: &Look, labels: &Labels<'_>) -> Vec<Line<'static>> {
    let rate = (look.lately.total_allocs() + look.lately.reallocs_in_place()) as f64 / look.seconds;
    let pooled = match look.now.pooled_share() {
        // Rounded down, so that only all is 100.0.
        Some(share) => format!("{:.1} %", (1000.0 * share).floor() / 10.0),
        None => "n/a".to_owned(),
    };
    let switch = match look.is_on {
        Some(true) => " on ".black().on_green(),
        Some(false) => " off ".white().on_red(),
        None => "".into(),
    };
    let requests = format!(" {rate:>8.0} requests/s   pooled so far: {pooled} of the bytes");
    let summary = vec!["framepool ".bold(), switch, requests.into()];
    vec![Line::from(summary), Line::from(format!("watching {}", labels.watching)).dim()]
}

fn draw_class(frame: &mut Frame<'_>, look: &Look, class: Class, area: Rect) {
    let stats = look.now.class(class);
    let [live, cached] = [SlotState::Live, SlotState::Cached].map(|state| look.count(class, state));
    let title = format!(
        " {class} {} x {}: {live} live, {cached} cached, peak {}; {} hits, {} misses ",
        size(stats.slot_bytes),
        stats.slots,
        stats.peak,
        stats.hits,
        stats.misses
    );
    let block = Block::bordered().title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [map, rates] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(inner);
    frame.render_widget(Paragraph::new(cells(&look.slots[class as usize], map)), map);
    frame.render_widget(rate_line(look, class, rates.width), rates);
}

/// Draws a cell for each slot. If there is no room for all, several slots share a cell, which shows the
/// busiest state.
fn cells(slots: &[SlotState], area: Rect) -> Vec<Line<'static>> {
    let (width, height) = (usize::from(area.width).max(1), usize::from(area.height).max(1));
    let together = slots.len().div_ceil(width * height).max(1);
    let cells: Vec<_> = slots.chunks(together).map(cell).collect();
    cells.chunks(width).map(|row| Line::from(row.to_vec())).collect()
}

fn cell(slots: &[SlotState]) -> Span<'static> {
    if slots.contains(&SlotState::Live) {
        Span::styled("#", Style::new().fg(Color::Green))
    } else if slots.contains(&SlotState::Cached) {
        Span::styled("o", Style::new().fg(Color::Yellow))
    } else {
        Span::styled(".", Style::new().fg(Color::DarkGray))
    }
}

/// Draws the hit rate over time, newest at the right. Full height is 100 %, and a bar below 100 % is red.
fn rate_line(look: &Look, class: Class, width: u16) -> Line<'static> {
    const LABEL: &str = "hit rate ";
    let rates = &look.hit_rates[class as usize];
    let room = usize::from(width).saturating_sub(LABEL.len());
    let skipped = rates.len().saturating_sub(room);
    let bars = rates.iter().skip(skipped).map(|rate| match rate {
        None => Span::raw(" "),
        Some(100) => Span::styled(bar::FULL, Style::new().fg(Color::Green)),
        Some(rate) => {
            let levels = [
                bar::ONE_EIGHTH,
                bar::ONE_QUARTER,
                bar::THREE_EIGHTHS,
                bar::HALF,
                bar::FIVE_EIGHTHS,
                bar::THREE_QUARTERS,
                bar::SEVEN_EIGHTHS,
            ];
            Span::styled(
                levels[(*rate as usize * levels.len() / 100).min(levels.len() - 1)],
                Style::new().fg(Color::Red),
            )
        }
    });
    Line::from_iter([Span::raw(LABEL).dim()].into_iter().chain(bars))
}

fn refused_lines(look: &Look) -> Vec<Line<'static>> {
    let rate = |count: u64| count as f64 / look.seconds;
    let misses = (look.now.misses(), look.lately.misses(), "misses".to_owned());
    let reasons = Bypass::ALL
        .iter()
        .map(|&reason| (look.now.bypassed(reason), look.lately.bypassed(reason), reason.to_string()));
    let lines = [misses].into_iter().chain(reasons).filter(|(count, ..)| *count > 0);
    let lines = lines
        .map(|(count, lately, name)| Line::from(format!("{name:<14}{count:>12}{:>10.0}/s", rate(lately))));
    let mut lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        lines.push("nothing".dim().into());
    }
    lines
}

fn memory_lines(look: &Look) -> Vec<Line<'static>> {
    let residency = &look.residency;
    let line = |name: &str, bytes: u64| Line::from(format!("{name:<10}{:>10.1} MiB", mib(bytes)));
    let reserved = mib(residency.reserved_bytes);
    let resident = format!("{:<10}{:>10.1} of {reserved:.1} MiB", "resident", mib(residency.resident_bytes));
    vec![resident.into(), line("huge", residency.huge_bytes), line("locked", residency.locked_bytes)]
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    fn rows(width: u16, height: u16, explains: bool) -> Vec<String> {
        use ratatui::{Terminal, backend::TestBackend};
        let slots = Class::ALL.map(|_| vec![SlotState::Live, SlotState::Cached, SlotState::Free]);
        let reading = || crate::look::Reading {
            stats: framepool::PoolAlloc::new().stats(),
            slots: slots.clone(),
            residency: None,
            is_on: Some(true),
        };
        let mut look = Look::new(reading());
        look.again(reading());
        let labels = Labels { watching: "a test", keys: "t trim", explains };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
        terminal.draw(|screen| all(screen, &look, &labels)).expect("memory takes all");
        let cells = &terminal.backend().buffer().content;
        cells.chunks(width.into()).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    /// Tests the minimum size of a terminal that everything fits on.
    #[test]
    fn everything_has_its_place_on_a_terminal_of_80_by_24() {
        let rows = rows(80, 24, false);
        for (row, starts) in [
            (0, "framepool  on "),
            (1, "watching a test"),
            (2, "┌ Small 1 KiB x 1024: 1 live, 1 cached, peak 0; 0 hits, 0 misses"),
            (3, "│#o."),
            (6, "┌ Medium 64 KiB x 64: "),
            (14, "┌ XLarge 2 MiB x 64: "),
            (15, "│#o."),
            (16, "│hit rate "),
            (18, "┌Past the pools"),
            (23, "q quit   ? help   t trim   # live  o cached  . free"),
        ] {
            assert!(rows[row].starts_with(starts), "{row}: {rows:#?}");
        }
        assert!(rows[19].contains("resident"));
    }

    #[test]
    fn the_explanation_is_whole_on_every_terminal_of_at_least_80_by_24() {
        for (width, height) in [(80, 24), (120, 40)] {
            let text = rows(width, height, true).join("\n");
            assert!(text.contains("What this shows") && text.contains("untouched slots"), "{text}");
            assert!(text.contains("none. "), "{text}");
        }
    }

    #[test]
    fn a_slot_is_a_cell_and_where_there_is_no_room_a_few_are() {
        use SlotState::{Cached, Free, Live};
        let slots = [Live, Cached, Free, Free, Free, Free, Cached, Free];
        assert_eq!(text(&cells(&slots, Rect::new(0, 0, 5, 2))), ["#o...", ".o."]);
        assert_eq!(text(&cells(&slots, Rect::new(0, 0, 4, 1))), ["#..o"]);
        assert_eq!(text(&cells(&slots, Rect::new(0, 0, 0, 0))), ["#"]);
    }

    #[test]
    fn sizes_are_in_the_largest_unit_that_divides_them() {
        assert_eq!([1_024, 2 << 20, 3_110_400].map(size), ["1 KiB", "2 MiB", "3110400 B"]);
    }
}
