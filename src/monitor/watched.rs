//! What can be watched: the program's allocator, and pools that are a value.

use core::alloc::GlobalAlloc;

use crate::buffer_pool::BufferPool;
use crate::memory::residency::Residency;
use crate::pool_alloc::PoolAlloc;
use crate::stats::Stats;

/// What a [`Monitor`](crate::Monitor) watches: a `&'static PoolAlloc`, or a [`BufferPool`]. Not for implementing elsewhere.
pub trait Watched: Sealed + Send + 'static {}

impl<W: Sealed + Send + 'static> Watched for W {}

/// What there is to ask.
pub trait Sealed {
    /// The name that it has by itself.
    fn name(&self) -> Option<&'static str>;
    /// The snapshot.
    fn stats(&self) -> Stats;
    /// What was denied, without the figures.
    fn denials(&self) -> Residency;
    /// What the memory is made of.
    fn residency(&self) -> Residency;
    /// Gives memory back.
    fn trim(&self) -> usize;
    /// Runs `f` without counting what it allocates.
    fn aside(&self, f: &mut dyn FnMut());
}

impl<A: GlobalAlloc + Sync + 'static> Sealed for &'static PoolAlloc<A> {
    fn name(&self) -> Option<&'static str> {
        None
    }

    fn stats(&self) -> Stats {
        PoolAlloc::stats(self)
    }

    fn denials(&self) -> Residency {
        PoolAlloc::denials(self)
    }

    fn residency(&self) -> Residency {
        PoolAlloc::residency(self)
    }

    fn trim(&self) -> usize {
        PoolAlloc::trim(self)
    }

    fn aside(&self, f: &mut dyn FnMut()) {
        self.unpooled(f);
    }
}

impl Sealed for BufferPool {
    fn name(&self) -> Option<&'static str> {
        BufferPool::name(self)
    }

    fn stats(&self) -> Stats {
        BufferPool::stats(self)
    }

    fn denials(&self) -> Residency {
        BufferPool::denials(self)
    }

    fn residency(&self) -> Residency {
        BufferPool::residency(self)
    }

    fn trim(&self) -> usize {
        BufferPool::trim(self)
    }

    fn aside(&self, f: &mut dyn FnMut()) {
        f();
    }
}
