//! The screen: a summary at the top, a panel for each class, the requests that went past the pools, the
//! memory, the keys.
//!
//! Each state has its own character, so the screen is readable without colours.

use framepool::{Bypass, Class, SlotState};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::bar;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use crate::look::{Look, mib};
use crate::workload::Workload;

pub(crate) fn all(frame: &mut Frame<'_>, look: &Look, workload: &Workload) {
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
    frame.render_widget(Paragraph::new(head_lines(look, workload)), head);
    for (class, area) in Class::ALL.into_iter().zip([small, medium, large, xlarge]) {
        draw_class(frame, look, class, area);
    }
    let [past_pools, memory] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(foot);
    frame.render_widget(
        Paragraph::new(refused_lines(look)).block(Block::bordered().title("Past the pools")),
        past_pools,
    );
    frame.render_widget(Paragraph::new(memory_lines(look)).block(Block::bordered().title("Memory")), memory);
    let help = "q quit   t trim   p prewarm   space on/off";
    frame.render_widget(Line::from(vec![help.dim(), format!("   {}", look.said).bold()]), keys);
}

fn head_lines(look: &Look, workload: &Workload) -> Vec<Line<'static>> {
    let rate = (look.lately.total_allocs() + look.lately.reallocs_in_place()) as f64 / look.seconds;
    let pooled = match look.now.pooled_share() {
        // Rounded down, so that only all is 100.0.
        Some(share) => format!("{:.1} %", (1000.0 * share).floor() / 10.0),
        None => "n/a".to_owned(),
    };
    let switch = if look.is_on { " on ".black().on_green() } else { " off ".white().on_red() };
    let requests = format!(" {rate:>8.0} requests/s   pooled since the start: {pooled} of the bytes");
    let summary = vec!["framepool ".bold(), switch, requests.into()];
    vec![Line::from(summary), Line::from(format!("watching {}", workload.describe())).dim()]
}

fn draw_class(frame: &mut Frame<'_>, look: &Look, class: Class, area: Rect) {
    let stats = look.now.class(class);
    let [live, cached] = [SlotState::Live, SlotState::Cached].map(|state| look.count(class, state));
    let free = look.slots[class as usize].len() - live - cached;
    let title = format!(
        " {class} {} x {}: {live} live, {cached} cached, {free} free, peak {}; {} hits, {} misses ",
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

    /// Tests the minimum size of a terminal that everything fits on.
    #[test]
    fn everything_has_its_place_on_a_terminal_of_80_by_24() {
        use ratatui::{Terminal, backend::TestBackend};
        let frame = std::hint::black_box(vec![1_u8; 1_382_400]);
        let mut look = Look::new(&crate::ALLOC);
        look.again(&crate::ALLOC);
        look.say("trimmed 1.0 MiB".to_owned());
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal in memory");
        terminal.draw(|screen| all(screen, &look, &Workload::Chat)).expect("memory takes all");
        let buffer = terminal.backend().buffer();
        let rows: Vec<String> =
            buffer.content.chunks(80).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect();
        for (row, starts) in [
            (0, "framepool  on "),
            (2, "┌ Small 1 KiB x 1024: "),
            (6, "┌ Medium 64 KiB x 64: "),
            (14, "┌ XLarge 2 MiB x 64: "),
            (15, "│#"),
            (16, "│hit rate "),
            (18, "┌Past the pools"),
            (23, "q quit   t trim"),
        ] {
            assert!(rows[row].starts_with(starts), "{row}: {rows:#?}");
        }
        assert!(rows[23].contains("trimmed 1.0 MiB") && rows[19].contains("resident"));
        drop(frame);
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
