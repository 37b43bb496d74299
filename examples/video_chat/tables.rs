//! The three tables that the example can run with, and the one that was picked.
//!
//! Other programs have one `static` with `#[global_allocator]` on it. This program picks a table at start, so
//! `System` serves all requests before that. Those blocks stay `System`'s, because a pool passes on frees of
//! blocks that it does not own.

use std::alloc::{GlobalAlloc, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;
use framepool::{Class, Config, PoolAlloc};

const CONFIGS: [Config; 3] = [
    Config::new(),
    Config::new().class(Class::XLarge, 3_110_400, 48),
    Config::new().class(Class::XLarge, 12_441_600, 24),
];

static POOLS: [PoolAlloc; 3] = [
    PoolAlloc::with_config(CONFIGS[0]),
    PoolAlloc::with_config(CONFIGS[1]),
    PoolAlloc::with_config(CONFIGS[2]),
];

/// The index in `POOLS`, or one past its end while none is picked. Written once, before other threads start.
static PICKED: AtomicUsize = AtomicUsize::new(POOLS.len());

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    // The table of `PoolAlloc::new()`. (These are plain comments, because clap would print doc comments.)
    Default,
    // XLarge for 1080p 4:2:0.
    Hd,
    // XLarge for 2160p 4:2:0.
    Uhd,
}

impl Table {
    pub(crate) const ALL: [Self; 3] = [Self::Default, Self::Hd, Self::Uhd];

    /// The name of the table on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Hd => "hd",
            Self::Uhd => "uhd",
        }
    }

    /// The configuration of the table.
    pub(crate) const fn config(self) -> &'static Config {
        &CONFIGS[self as usize]
    }

    /// Makes this table's pools serve all requests from now on, and returns them.
    pub(crate) fn pick(self) -> &'static PoolAlloc {
        PICKED.store(self as usize, Ordering::Relaxed);
        &POOLS[self as usize]
    }
}

/// Returns the pools that serve requests now, if any were picked.
pub(crate) fn picked() -> Option<&'static PoolAlloc> {
    POOLS.get(PICKED.load(Ordering::Relaxed))
}

/// Returns the allocator that serves requests now.
pub(crate) fn serving() -> &'static dyn GlobalAlloc {
    match picked() {
        Some(pool) => pool,
        None => &System,
    }
}
