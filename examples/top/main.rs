//! A live view of running pools: each slot as a cell, hit rates over time, misses and bypasses by reason, and
//! the memory.
//!
//! ```text
//! cargo run --release --example top           # frames of a size and at a rate that the keys change
//! cargo run --release --example top -- --chat # the video chat server of the example of that name
//! ```
//!
//! `workload.rs` is the program that is watched, `look.rs` reads its pools four times a second, and `draw.rs`
//! draws the screen. `unpooled` keeps the view's own allocations out of the pools.

mod draw;
mod look;
#[path = "../video_chat/server/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "this program asks for less of it than the one that it belongs to"
)]
mod server;
mod workload;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use framepool::PoolAlloc;

use look::Look;
use workload::Workload;

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

/// The time between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Shows running pools live.
#[derive(Parser)]
#[command(name = "top", bin_name = "top", max_term_width = 100)]
struct Cli {
    /// Watch a video chat of 9 clients instead of frames whose size and rate the keys change
    #[arg(long)]
    chat: bool,
    /// End after this many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => error.exit(),
        Err(error) => return fail(2, error.to_string().lines().next().unwrap_or_default()),
    };
    if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return fail(2, "it needs a terminal on standard input and output");
    }
    let workload = match Workload::start(cli.chat) {
        Ok(workload) => workload,
        Err(error) => return fail(1, &format!("cannot start a thread: {error}")),
    };
    // `init` also installs a panic hook that restores the terminal.
    let mut terminal = ALLOC.unpooled(ratatui::init);
    let outcome = ALLOC.unpooled(|| run(&mut terminal, &workload, cli.seconds));
    ratatui::restore();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("the terminal is gone: {error}")),
    }
}

fn fail(status: u8, text: &str) -> ExitCode {
    // If standard error is closed, the message cannot be printed anywhere.
    let _ = writeln!(io::stderr(), "top: {}", text.trim_start_matches("error: "));
    ExitCode::from(status)
}

/// Looks and draws until a key or the time limit ends the program.
fn run(terminal: &mut ratatui::DefaultTerminal, workload: &Workload, seconds: Option<u64>) -> io::Result<()> {
    let begun = Instant::now();
    let mut look = Look::new(&ALLOC);
    loop {
        look.again(&ALLOC);
        terminal.draw(|frame| draw::all(frame, &look, workload))?;
        let next = Instant::now() + INTERVAL;
        while let Some(left) = next.checked_duration_since(Instant::now()) {
            if event::poll(left)?
                && let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
                    return Ok(());
                }
                if !press(key.code, &mut look, workload) {
                    return Ok(());
                }
            }
        }
        if seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds)) {
            return Ok(());
        }
    }
}

/// Handles a key. Returns `false` for a key that ends the program.
fn press(key: KeyCode, look: &mut Look, workload: &Workload) -> bool {
    match key {
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('t') => look.say(format!("trimmed {:.1} MiB", look::mib(ALLOC.trim() as u64))),
        KeyCode::Char('p') => {
            let took = ALLOC.prewarm().elapsed.as_secs_f64() * 1e3;
            look.say(format!("prewarmed in {took:.1} ms"));
        }
        KeyCode::Char(' ') => {
            look.is_on = !look.is_on;
            ALLOC.set_enabled(look.is_on);
            look.say(format!("switched {}", if look.is_on { "on" } else { "off" }));
        }
        KeyCode::Up => workload.change_size(1),
        KeyCode::Down => workload.change_size(-1),
        KeyCode::Right => workload.change_rate(1),
        KeyCode::Left => workload.change_rate(-1),
        KeyCode::Char('+') => workload.change_depth(1),
        KeyCode::Char('-') => workload.change_depth(-1),
        _ => {}
    }
    true
}
