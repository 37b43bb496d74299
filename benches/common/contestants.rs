//! The measured allocators: the pools, `System` and the two baselines, each through the same
//! `&dyn GlobalAlloc`.
//!
//! The dynamic call costs each of them the same nanosecond or two, and keeps the compiler from inlining one
//! allocator and not another. None of them is the program's global allocator. The harness's own allocations
//! go to `System` and enter no pool.

use std::alloc::{GlobalAlloc, Layout, System};

use framepool::PoolAlloc;

use crate::baselines::{Original, PerPoolSpin};

/// An allocator as the workloads call it.
pub(crate) type Allocator = dyn GlobalAlloc + Sync;

static FRAMEPOOL: PoolAlloc = PoolAlloc::new();
static ORIGINAL: Original = Original::new();
static PER_POOL_SPIN: PerPoolSpin = PerPoolSpin::new();

/// All contestants, by the name that the results carry.
pub(crate) static CONTESTANTS: [(&str, &Allocator); 4] = [
    ("framepool", &FRAMEPOOL),
    ("System", &System),
    ("original", &ORIGINAL),
    ("per_pool_spin", &PER_POOL_SPIN),
];

/// Returns the layout of a buffer of `bytes` bytes, as `Vec<u8>` requests it.
pub(crate) fn layout(bytes: usize) -> Layout {
    Layout::array::<u8>(bytes).expect("the sizes are constants")
}

/// Stops the program if any pool sent a request to `System`, because the figures are then not the pool's.
pub(crate) fn assert_that_every_request_was_a_hit() {
    let stats = FRAMEPOOL.stats();
    assert!(stats.misses() + stats.bypasses() == 0, "framepool went to System:\n{stats}");
    for (name, counts) in [("original", ORIGINAL.counts()), ("per_pool_spin", PER_POOL_SPIN.counts())] {
        assert!(counts.misses == 0 && counts.in_use == 0, "{name} went to System or lost a slot: {counts:?}");
    }
}
