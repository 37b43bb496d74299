//! The loop of the screen: reads, draws, and handles keys, four times a second.

use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;

use crate::look::{Look, Reading};
use crate::screen::{self, Labels};

/// The time between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// The pools that are watched, and the keys beside `q` and `?`.
pub(crate) trait Watched {
    type Error: From<io::Error>;
    /// The keys and what they do, for the last line.
    const KEYS: &'static str;

    /// Reads the pools, with the residency if that is wanted.
    fn read(&mut self, wants_residency: bool) -> Result<Reading, Self::Error>;
    /// Describes what is watched.
    fn describe(&self) -> String;
    /// Handles a key.
    fn press(&mut self, key: KeyCode, look: &mut Look);
    /// Whether the time is over.
    fn is_over(&self) -> bool;
}

/// Shows the pools until `q` is pressed or the time is over.
///
/// # Errors
///
/// The terminal is gone, or the pools cannot be read any more.
pub(crate) fn watch<W: Watched>(terminal: &mut DefaultTerminal, watched: &mut W) -> Result<(), W::Error> {
    let mut look = Look::new(watched.read(true)?);
    let mut explains = false;
    while !watched.is_over() {
        look.again(watched.read(look.wants_residency())?);
        let next = Instant::now() + INTERVAL;
        loop {
            let labels = Labels { watching: &watched.describe(), keys: W::KEYS, explains };
            terminal.draw(|frame| screen::all(frame, &look, &labels))?;
            let Some(key) = key_before(next)? else { break };
            match key {
                _ if explains => explains = false,
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('?') => explains = true,
                key => watched.press(key, &mut look),
            }
        }
    }
    Ok(())
}

/// Returns the next key that is pressed before this time. Control and C together are `q`.
fn key_before(time: Instant) -> io::Result<Option<KeyCode>> {
    while let Some(left) = time.checked_duration_since(Instant::now()) {
        if event::poll(left)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            let ends = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            return Ok(Some(if ends { KeyCode::Char('q') } else { key.code }));
        }
    }
    Ok(None)
}
