//! What a contestant's pools served: a figure of a pool that sent half of its requests to `System` is to be read so.

use std::alloc::GlobalAlloc;

use framepool::PoolAlloc;

use crate::baselines::{Counts, Original, PerPoolSpin};

/// An allocator that counts.
pub(crate) trait Served: GlobalAlloc + Sync {
    /// Requests that got a slot, and all requests.
    fn served(&self) -> (u64, u64);
}

impl Served for PoolAlloc {
    fn served(&self) -> (u64, u64) {
        let stats = self.stats();
        (stats.hits(), stats.total_allocs())
    }
}

impl Served for Original {
    fn served(&self) -> (u64, u64) {
        hits_and_all(self.counts())
    }
}

impl Served for PerPoolSpin {
    fn served(&self) -> (u64, u64) {
        hits_and_all(self.counts())
    }
}

fn hits_and_all(counts: Counts) -> (u64, u64) {
    (counts.hits, counts.hits + counts.misses)
}
