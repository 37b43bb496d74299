//! A live view of running pools: each slot as a cell, hit rates over time, misses and bypasses by reason, and
//! the memory.
//!
//! ```text
//! cargo run --release --example top           # frames of a size and at a rate that the keys change
//! cargo run --release --example top -- --chat # the video chat server of the example of that name
//! ```
//!
//! `workload.rs` is the program that is watched. The screen is that of `framepool top`, which watches any program from outside:
//! see `src/bin/framepool`. Here the program watches itself, so keys can change what it does. `unpooled` keeps the view's own
//! allocations out of the pools.

#[path = "../../src/bin/framepool/look.rs"]
mod look;
#[path = "../../src/bin/framepool/screen.rs"]
mod screen;
#[path = "../video_chat/server/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "this program asks for less of it than the one that it belongs to"
)]
mod server;
#[path = "../../src/bin/framepool/watch.rs"]
mod watch;
mod workload;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;
use crossterm::event::KeyCode;
use framepool::{Class, PoolAlloc, SlotState};

use look::{Look, Reading};
use watch::{Watched, watch};
use workload::Workload;

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

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
    let end = cli.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let outcome = ALLOC.unpooled(|| watch(&mut terminal, &mut Own { workload, end }));
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

/// This program, which watches itself.
struct Own {
    workload: Workload,
    end: Option<Instant>,
}

impl Watched for Own {
    type Error = io::Error;
    const KEYS: &'static str = "t trim   p prewarm   space on/off";

    fn read(&mut self, wants_residency: bool) -> io::Result<Reading> {
        let stats = ALLOC.stats();
        let slots = Class::ALL.map(|class| {
            let mut states = vec![SlotState::Free; stats.class(class).slots as usize];
            ALLOC.slot_states(class, &mut states);
            states
        });
        let residency = wants_residency.then(|| ALLOC.residency());
        Ok(Reading { stats, slots, residency, is_on: Some(ALLOC.is_enabled()) })
    }

    fn describe(&self) -> String {
        self.workload.describe()
    }

    fn press(&mut self, key: KeyCode, look: &mut Look) {
        match key {
            KeyCode::Char('t') => look.say(format!("trimmed {:.1} MiB", look::mib(ALLOC.trim() as u64))),
            KeyCode::Char('p') => {
                let took = ALLOC.prewarm().elapsed.as_secs_f64() * 1e3;
                look.say(format!("prewarmed in {took:.1} ms"));
            }
            KeyCode::Char(' ') => {
                ALLOC.set_enabled(!ALLOC.is_enabled());
                look.say(format!("switched {}", if ALLOC.is_enabled() { "on" } else { "off" }));
            }
            KeyCode::Up => self.workload.change_size(1),
            KeyCode::Down => self.workload.change_size(-1),
            KeyCode::Right => self.workload.change_rate(1),
            KeyCode::Left => self.workload.change_rate(-1),
            KeyCode::Char('+') => self.workload.change_depth(1),
            KeyCode::Char('-') => self.workload.change_depth(-1),
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }
}
