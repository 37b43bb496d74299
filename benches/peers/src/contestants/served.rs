//! The share of requests that a contestant's pools served. If a pool sent half of its requests to `System`,
//! its figure is half `System`'s.

use std::alloc::GlobalAlloc;

use framepool::PoolAlloc;

use crate::baselines::{Counts, Original, PerPoolSpin};

/// An allocator that counts its requests.
pub(crate) trait Served: GlobalAlloc + Sync {
    /// Returns the requests that got a slot, and all requests.
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
