//! The terminal while the grid is shown: an alternate screen, which is always restored.
//!
//! It is restored at the end, on an error, on a panic (before its message), and on a signal that ends the
//! process.

use std::io::{self, IsTerminal, Write};
use std::panic;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::terminal::{
    self, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{execute, queue};

use crate::failure::Failure;

/// The bytes that [`restore`] writes on Unix, for a signal handler, which may not format: colours, wrap, cursor,
/// screen.
#[cfg(unix)]
const RESTORE: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The open alternate screen.
pub(crate) struct Screen {
    columns: u16,
    rows: u16,
}

/// Checks early for the terminals that [`Screen::open`] needs in the child.
///
/// # Errors
///
/// Standard output or standard error is not a terminal.
pub(crate) fn check() -> Result<(), Failure> {
    if io::stdout().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Failure::bad_input("--show needs a terminal on standard output and standard error"))
}

impl Screen {
    /// Opens the alternate screen on standard error, because standard output is for the figures.
    ///
    /// # Errors
    ///
    /// There is no terminal, or its size is unknown.
    pub(crate) fn open() -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::bad_input(format!("--show cannot use the terminal: {error}"));
        let (columns, rows) = terminal::size().map_err(failed)?;
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            report(panic);
        }));
        catch_signals();
        execute!(io::stderr(), EnterAlternateScreen, Hide, DisableLineWrap).map_err(failed)?;
        Ok(Self { columns, rows })
    }

    /// Returns the columns and rows for the grid. The last line is for its caption.
    pub(crate) fn canvas(&self) -> (usize, usize) {
        (self.columns.into(), self.rows.saturating_sub(1).into())
    }

    /// Draws a grid. An error of the terminal is ignored and does not end the run.
    pub(crate) fn draw(&self, grid: &[u8]) {
        let mut frame = Vec::with_capacity(grid.len() + 256);
        let _ = queue!(frame, MoveTo(0, 0));
        frame.extend_from_slice(grid);
        let _ = queue!(frame, MoveTo(0, self.rows.saturating_sub(1)));
        frame.extend_from_slice(b"\x1b[0mlive, not measured; Ctrl-C ends it");
        let _ = io::stderr().write_all(&frame);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal. A terminal without an alternate screen stays as it is.
pub(crate) fn restore() {
    let _ = execute!(io::stderr(), EnableLineWrap, Show, LeaveAlternateScreen);
}

/// Has the terminal restored before Ctrl-C or a closed window ends the process.
#[cfg(windows)]
fn catch_signals() {
    use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;

    /// Runs on a thread of its own. What it returns says that the process is to end.
    unsafe extern "system" fn leave(_: u32) -> i32 {
        restore();
        0
    }
    // SAFETY: the handler is a function of this program. If it is denied, the terminal stays as it is then.
    unsafe { SetConsoleCtrlHandler(Some(leave), 1) };
}

/// Installs handlers for SIGINT, SIGTERM and SIGHUP, which restore the terminal before the process ends.
#[cfg(unix)]
fn catch_signals() {
    extern "C" fn leave(signal: libc::c_int) {
        // SAFETY: both calls may be made in a signal handler; the bytes are a constant.
        unsafe {
            libc::write(libc::STDERR_FILENO, RESTORE.as_ptr().cast(), RESTORE.len());
            libc::_exit(128 + signal);
        }
    }
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler makes only calls that are allowed in one.
        unsafe { libc::signal(signal, leave as *const () as libc::sighandler_t) };
    }
}
