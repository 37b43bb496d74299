//! The contestants: their names, and what their processes need.
//!
//! A sample runs one contestant in a process of its own. No heap carries anything from one workload into the
//! next. The behaviour of glibc depends on what was freed before, and a new process puts it in a known state.

mod coloured;
mod ring;
mod rpmalloc;
mod served;

use std::alloc::System;

use framepool::{Class, Config, PoolAlloc};
use mimalloc::MiMalloc;
use snmalloc_rs::SnMalloc;
use tikv_jemallocator::Jemalloc;

use crate::baselines::{Original, PerPoolSpin};
use crate::source::Allocator;
use coloured::Coloured;
use ring::Ring;
use rpmalloc::RpMalloc;
use served::Served;

/// How a contestant relates to the others: how it is drawn, and whether its figure is one to beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The pools, and variants of them.
    Ours,
    /// An allocator in its default state: one to beat.
    Peer,
    /// glibc in a state that the user must set, and older designs of the pools.
    Reference,
    /// The limit, which no general allocator reaches.
    Limit,
}

/// One contestant.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Environment variables that its processes start with.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// The largest block that it is made for, in bytes.
    pub(crate) max_bytes: usize,
    /// Prepares the contestant for blocks of that many bytes, before any clock runs.
    pub(crate) prepare: fn(usize) -> Subject,
}

/// A contestant that is ready.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) allocator: &'static Allocator,
    /// The counts of the contestant's pools, if it has pools.
    pub(crate) pools: Option<&'static dyn Served>,
}

impl Subject {
    fn plain(allocator: &'static Allocator) -> Self {
        Self { allocator, pools: None }
    }

    fn pooled<A: Served>(allocator: &'static A) -> Self {
        Self { allocator, pools: Some(allocator) }
    }

    /// Returns the percentage of its requests that got a slot. `None` if it has no pools, or had no request.
    pub(crate) fn pooled_percent(self) -> Option<f64> {
        let (hits, all) = self.pools?.served();
        (all > 0).then(|| 100.0 * hits as f64 / all as f64)
    }
}

/// The bytes of a 1080p 4:2:0 frame.
pub(crate) const FULL_HD_BYTES: usize = 1920 * 1080 * 3 / 2;

static POOLS: PoolAlloc = PoolAlloc::new();
static FULL_HD_POOLS: PoolAlloc =
    PoolAlloc::with_config(Config::new().class(Class::XLarge, FULL_HD_BYTES, 48));
/// The table that advice gives for 25 frames of 720p in flight.
static FITTED: PoolAlloc =
    PoolAlloc::with_config(Config::new().class(Class::XLarge, 1_384_448, 28).magazine(Class::XLarge, 0));
static HARDENED: PoolAlloc = PoolAlloc::with_config(Config::new().hardened(true));
static UNHELD: PoolAlloc = PoolAlloc::with_config(Config::new().hold_back(Class::Small, 0, 0));
static COLOURED: Coloured = Coloured::new(&POOLS);
static ORIGINAL: Original = Original::new();
static PER_POOL_SPIN: PerPoolSpin = PerPoolSpin::new();

/// Returns the pools for blocks of `bytes` bytes: those with a table for 1080p if they serve such blocks and the
/// default table does not, else those with the default table.
fn pools_for(bytes: usize) -> &'static PoolAlloc {
    if (XLARGE_BYTES + 1..=FULL_HD_BYTES).contains(&bytes) { &FULL_HD_POOLS } else { &POOLS }
}

const XLARGE_BYTES: usize = Config::new().slot_bytes(Class::XLarge);

const OURS: Contestant = Contestant {
    name: "framepool",
    kind: Kind::Ours,
    variables: &[],
    max_bytes: usize::MAX,
    prepare: |bytes| Subject::pooled(pools_for(bytes)),
};

const PEER: Contestant = Contestant { kind: Kind::Peer, prepare: |_| Subject::plain(&System), ..OURS };

const REFERENCE: Contestant = Contestant { kind: Kind::Reference, ..PEER };

/// All contestants. Each workload says which of them take part.
pub(crate) const CONTESTANTS: &[Contestant] = &[
    OURS,
    Contestant {
        name: "framepool_prewarmed",
        prepare: |bytes| {
            pools_for(bytes).prewarm();
            Subject::pooled(pools_for(bytes))
        },
        ..OURS
    },
    Contestant {
        name: "framepool_fitted",
        max_bytes: 1_384_448,
        prepare: |_| Subject::pooled(&FITTED),
        ..OURS
    },
    Contestant { name: "framepool_hardened", prepare: |_| Subject::pooled(&HARDENED), ..OURS },
    Contestant { name: "framepool_unheld", prepare: |_| Subject::pooled(&UNHELD), ..OURS },
    Contestant {
        name: "framepool_coloured",
        max_bytes: XLARGE_BYTES - coloured::MAX_BYTES,
        prepare: |_| Subject::plain(&COLOURED),
        ..OURS
    },
    Contestant { name: "mimalloc", prepare: |_| Subject::plain(&MiMalloc), ..PEER },
    Contestant { name: "jemalloc", prepare: |_| Subject::plain(&Jemalloc), ..PEER },
    Contestant { name: "rpmalloc", prepare: |_| Subject::plain(&RpMalloc), ..PEER },
    Contestant { name: "snmalloc", prepare: |_| Subject::plain(&SnMalloc), ..PEER },
    Contestant { name: "glibc", ..PEER },
    Contestant {
        name: "glibc_tuned",
        variables: &[(
            "GLIBC_TUNABLES",
            "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824",
        )],
        ..REFERENCE
    },
    Contestant {
        name: "glibc_pinned",
        variables: &[(
            "GLIBC_TUNABLES",
            "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072",
        )],
        ..REFERENCE
    },
    Contestant {
        name: "original",
        max_bytes: XLARGE_BYTES,
        prepare: |_| Subject::pooled(&ORIGINAL),
        ..REFERENCE
    },
    Contestant {
        name: "per_pool_spin",
        max_bytes: XLARGE_BYTES,
        prepare: |_| Subject::pooled(&PER_POOL_SPIN),
        ..REFERENCE
    },
    Contestant {
        name: "ring",
        kind: Kind::Limit,
        prepare: |bytes| {
            ring::fill(bytes);
            Subject::plain(&Ring)
        },
        ..PEER
    },
];

/// Returns the contestant with that name, if there is one.
pub(crate) fn named(name: &str) -> Option<&'static Contestant> {
    CONTESTANTS.iter().find(|contestant| contestant.name == name)
}
