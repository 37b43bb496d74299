//! Who is measured: the pools, `System` and the two baselines, each through the same `&dyn GlobalAlloc`.
//!
//! The dynamic call costs everyone the same nanosecond or two and keeps the compiler from inlining one allocator and not
//! another. None of them is the program's global allocator, so what the harness allocates goes to `System` and enters
//! nobody's pools.

use std::alloc::{GlobalAlloc, Layout, System};

use framepool::PoolAlloc;

use crate::baselines::{Original, PerPoolSpin};

/// An allocator as the workloads see it.
pub(crate) type Allocator = dyn GlobalAlloc + Sync;

static FRAMEPOOL: PoolAlloc = PoolAlloc::new();
static ORIGINAL: Original = Original::new();
static PER_POOL_SPIN: PerPoolSpin = PerPoolSpin::new();

/// Everyone, by the name that the results carry.
pub(crate) static CONTESTANTS: [(&str, &Allocator); 4] = [
    ("framepool", &FRAMEPOOL),
    ("System", &System),
    ("original", &ORIGINAL),
    ("per_pool_spin", &PER_POOL_SPIN),
];

/// A byte buffer of that many bytes, as `Vec<u8>` asks for it.
pub(crate) fn layout(bytes: usize) -> Layout {
    Layout::array::<u8>(bytes).expect("the sizes are constants")
}

/// Stops the program if any pool sent a request to `System`: what was measured then was not the pool.
pub(crate) fn assert_that_every_request_was_a_hit() {
    let stats = FRAMEPOOL.stats();
    assert!(stats.misses() + stats.bypasses() == 0, "framepool went to System:\n{stats}");
    for (name, counts) in [("original", ORIGINAL.counts()), ("per_pool_spin", PER_POOL_SPIN.counts())] {
        assert!(counts.misses == 0 && counts.in_use == 0, "{name} went to System or lost a slot: {counts:?}");
    }
}
