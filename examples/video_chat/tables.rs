//! The three tables that the example can run with, and the one that it picked.
//!
//! A program of its own would have one `static` with `#[global_allocator]` on it. This one picks at start, so until then
//! everything is `System`'s; blocks made before stay `System`'s, because a pool hands on what it does not own.

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
    PoolAlloc::with_config(CONFIGS[0].env(true)),
    PoolAlloc::with_config(CONFIGS[1].env(true)),
    PoolAlloc::with_config(CONFIGS[2].env(true)),
];

/// A place in `POOLS`, or one past its end while nothing is picked. Written once, before there are threads.
static PICKED: AtomicUsize = AtomicUsize::new(POOLS.len());

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    // What `PoolAlloc::new()` has. (Plain comments, because clap would print others.)
    Default,
    // XLarge for 1080p 4:2:0.
    Hd,
    // XLarge for 2160p 4:2:0.
    Uhd,
}

impl Table {
    pub(crate) const ALL: [Self; 3] = [Self::Default, Self::Hd, Self::Uhd];

    /// How the table is called on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Hd => "hd",
            Self::Uhd => "uhd",
        }
    }

    /// What the table says.
    pub(crate) const fn config(self) -> &'static Config {
        &CONFIGS[self as usize]
    }

    /// Serves every request from now on with this table's pools, and returns them.
    pub(crate) fn pick(self) -> &'static PoolAlloc {
        PICKED.store(self as usize, Ordering::Relaxed);
        &POOLS[self as usize]
    }
}

/// The pools that serve requests now, if any were picked.
pub(crate) fn picked() -> Option<&'static PoolAlloc> {
    POOLS.get(PICKED.load(Ordering::Relaxed))
}

/// Who serves requests now.
pub(crate) fn serving() -> &'static dyn GlobalAlloc {
    match picked() {
        Some(pool) => pool,
        None => &System,
    }
}
