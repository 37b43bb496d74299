//! Two baseline allocators: the design that this crate replaces, and the design that the original's handbook
//! suggests next.
//!
//! Both serve the default table from four pools. The first request makes the pools' memory and nodes. A
//! request that fits no pool, or finds its pool empty, goes to `System`. All shared code is here and in
//! [`pool`], so the lock is the only difference between the two.
//!
//! If the design leaves a choice, the choice is made in its favour. The nodes of a pool are one array instead
//! of a box each. An index is a shift instead of a division. The range check that finds the pool of an
//! address takes no lock. Both abort on a double free, which the `in_use` flag shows, and check nothing else.
//!
//! Both allocate while they start. The benchmarks call them directly; neither can be installed as a
//! `#[global_allocator]`.

mod original;
mod per_pool_spin;
mod pool;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;

pub(crate) use original::Original;
pub(crate) use per_pool_spin::PerPoolSpin;
pub(crate) use pool::Counts;
use pool::{Pool, Slab};

/// Slot bytes and slots of the four pools: the default table.
const TABLE: [(usize, usize); 4] = [(1 << 10, 1024), (64 << 10, 64), (256 << 10, 32), (2 << 20, 64)];

/// How the four pools are locked, which is the only difference between the baselines.
pub(crate) trait Locks {
    /// Puts the pools behind their lock or locks.
    fn new(pools: [Pool; 4]) -> Self;

    /// Runs `f` on one pool, with the lock held that guards it.
    fn with<R>(&self, pool: usize, f: impl FnOnce(&mut Pool) -> R) -> R;
}

/// Four locked pools in front of `System`.
pub(crate) struct Baseline<L> {
    started: OnceLock<Started<L>>,
}

/// The slabs and pools that the first request makes.
struct Started<L> {
    slabs: [Slab; 4],
    pools: L,
}

impl<L: Locks> Baseline<L> {
    /// An allocator that has not reserved anything yet.
    pub(crate) const fn new() -> Self {
        Self { started: OnceLock::new() }
    }

    /// The counts of all four pools, added up.
    pub(crate) fn counts(&self) -> Counts {
        let started = self.started();
        (0..TABLE.len()).map(|pool| started.pools.with(pool, |pool| pool.counts())).sum()
    }

    fn started(&self) -> &Started<L> {
        self.started.get_or_init(|| {
            let slabs = TABLE.map(|(slot_bytes, slots)| Slab::reserve(slot_bytes, slots));
            Started { slabs, pools: L::new(slabs.map(Pool::new)) }
        })
    }
}

// SAFETY: a block comes either from `System` or from a slab that is never unmapped. With the pool's lock
// held, a pool hands out only a slot whose `in_use` flag is off, and sets the flag: no slot has two owners. A
// slot is as large as its class says and aligned to that size. A class serves a layout only if its size and
// alignment are at most that. An address goes back to the slab or to `System`, as its range says. Neither
// method unwinds: a lock's poison is ignored.
unsafe impl<L: Locks> GlobalAlloc for Baseline<L> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let needed = layout.size().max(layout.align());
        if let Some(class) = TABLE.iter().position(|&(slot_bytes, _)| needed <= slot_bytes) {
            let started = self.started();
            if let Some(index) = started.pools.with(class, Pool::take) {
                return started.slabs[class].slot(index);
            }
        }
        // SAFETY: the caller promises a layout of a size above zero, which is all that `System` asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let started = self.started();
        for (class, slab) in started.slabs.iter().enumerate() {
            if let Some(index) = slab.index_of(block) {
                return started.pools.with(class, |pool| pool.give(index));
            }
        }
        // SAFETY: the caller got `block` from `alloc` with this layout; it lies in no slab, so it is
        // `System`'s.
        unsafe { System.dealloc(block, layout) }
    }
}
