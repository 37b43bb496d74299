//! The allocators that can be watched: the program's allocator, and pools that are a value.

use core::alloc::GlobalAlloc;
use std::borrow::Cow;

use crate::buffer_pool::BufferPool;
use crate::memory::residency::Residency;
use crate::pool_alloc::PoolAlloc;
use crate::stats::Stats;

/// An allocator that a [`Monitor`](crate::Monitor) can watch: a `&'static PoolAlloc`, or a [`BufferPool`]. It
/// cannot be implemented outside this crate.
pub trait Watched: Sealed + Send + 'static {}

impl<W: Sealed + Send + 'static> Watched for W {}

/// The calls that a monitor makes.
pub trait Sealed {
    /// Returns the allocator's own name, if it has one.
    fn name(&self) -> Option<Cow<'static, str>>;
    /// Returns a snapshot of the statistics.
    fn stats(&self) -> Stats;
    /// Returns what the system denied, without the figures.
    fn denials(&self) -> Residency;
    /// Returns what the memory of the slots consists of.
    fn residency(&self) -> Residency;
    /// Gives the memory of free slots back, and returns how many bytes of it were resident.
    fn trim(&self) -> usize;
    /// Runs `f` without counting what it allocates.
    fn aside(&self, f: &mut dyn FnMut());
}

impl<A: GlobalAlloc + Sync + 'static> Sealed for &'static PoolAlloc<A> {
    fn name(&self) -> Option<Cow<'static, str>> {
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
    fn name(&self) -> Option<Cow<'static, str>> {
        self.own_name()
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
