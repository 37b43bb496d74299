//! The face for one subsystem: the same pools as a value, with buffers that find their way back by themselves.
//!
//! Beside `pool_alloc` the only room that knows a fallback: here it is the program's global allocator. There are no thread caches: each take and
//! give goes to the shared sets, so a buffer costs a few atomic operations, and all counters are exact at once. Handles and buffers share
//! the pools; the last of them unmaps the slots.
//!
//! What may block is [`wait_pooled`](BufferPool::wait_pooled), and the lock that hands slots to those who wait in it; nothing else here does.

#[cfg(feature = "allocator-api2")]
mod allocator;
mod errors;
mod pool_buf;
mod shared;

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use errors::{AllocError, WaitError};
pub use pool_buf::PoolBuf;

use crate::config::Config;
use crate::memory::residency::Residency;
use crate::metadata::slot_state::SlotState;
use crate::slots::class::{CLASSES, Class};
use crate::stats::Stats;
use shared::Shared;

/// The four pools as a value, for a subsystem of its own: a handle that can be cloned.
///
/// ```
/// use framepool::{BufferPool, Class, Config};
///
/// const FRAME: usize = 1280 * 720 * 3 / 2;
/// let pool = BufferPool::with_config(Config::new().class(Class::XLarge, 1_382_400, 16)).named("Capture");
///
/// let mut frame = pool.alloc(FRAME); // empty, with room for a frame
/// frame.resize(FRAME, 0x80);
/// assert!(frame.is_pooled());
/// assert_eq!(pool.stats().class(Class::XLarge).in_use, 1);
/// drop(frame); // its slot goes back
/// assert_eq!(pool.stats().class(Class::XLarge).in_use, 0);
/// ```
///
/// Nothing is [held back](Config::hold_back) unless the configuration says so, and threads cache nothing. The pools live as long as a
/// handle or a buffer of them; the last one gives all memory back to the system. A program may have as many as its address space takes.
///
/// What no slot is free for comes from the program's global allocator, but for the methods that say otherwise.
///
/// With the feature `allocator-api2`, collections live in its slots too. A collection or `Box` that owns a handle keeps the pools; one that is leaked
/// or turned into a raw pointer without its allocator does not: allocator-api2's `Box::into_raw` drops the handle, and if that was the last
/// one, the block is unmapped with the pools. Keep another handle, or use `Box::into_raw_with_allocator`.
///
/// After a `fork` of a process with threads, buffers of the child are its own copies. Threads that were [waiting](Self::wait_pooled) are not there;
/// slots that had just been handed to them are lost to the child.
///
/// # Complexity
///
/// An allocation and its free are some six atomic operations on shared lines, whatever the size. Where several threads use the same
/// class without pause, a [`PoolAlloc`](crate::PoolAlloc) is quicker.
#[derive(Clone)]
pub struct BufferPool {
    shared: Arc<Shared>,
    name: Option<&'static str>,
}

impl BufferPool {
    /// The default table, nothing held back.
    ///
    /// Never fails: if the system denies the reservation, all buffers come from the global allocator, and
    /// [`reservation`](Stats::reservation) says so.
    #[expect(clippy::new_without_default, reason = "it reserves address space, which a default should not")]
    pub fn new() -> Self {
        Self::with_config(Config::new())
    }

    /// A table of one's own. [`magazine`](Config::magazine) has no meaning here.
    ///
    /// Reserves the address space at once, with some ten system calls; slots cost memory from their first use on.
    ///
    /// # Panics
    ///
    /// If the table makes no sense: see [`Config`], and [`Config::validate`] for tables that are not known when the program is built.
    pub fn with_config(config: Config) -> Self {
        let shared = Shared::new(config);
        Self { shared: Arc::new(shared), name: None }
    }

    /// Gives this handle, and those cloned from it, a name for the statistics.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The handle's name.
    pub fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// An empty buffer with room for `len` bytes: a slot, or a block of the global allocator if none is free.
    ///
    /// # Panics
    ///
    /// Only if `len` exceeds `isize::MAX`, as [`Vec::with_capacity`] does; where there is no memory, it ends in
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error) likewise.
    pub fn alloc(&self, len: usize) -> PoolBuf {
        match self.alloc_pooled(len) {
            Some(buf) => buf,
            None => PoolBuf::from_heap(Vec::with_capacity(len), len, &self.shared),
        }
    }

    /// A buffer of `len` zeros.
    ///
    /// Costs nothing on a slot that was never used or was [trimmed](Self::trim), a `memset` otherwise.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc).
    pub fn alloc_zeroed(&self, len: usize) -> PoolBuf {
        let Some(layout) = Shared::layout(len) else { return self.alloc(len) };
        match self.shared.take(layout) {
            Some(block) => {
                self.shared.count_zeroed(&block);
                // SAFETY: a block of this layout that was taken just now.
                let start = unsafe { block.zeroed(layout) };
                // SAFETY: that block, whose first `len` bytes are zeros.
                unsafe { PoolBuf::from_slot(start, len, len, &self.shared) }
            }
            None => PoolBuf::from_heap(vec![0; len], len, &self.shared),
        }
    }

    /// The same as [`alloc`](Self::alloc), but a lack of memory is an error.
    ///
    /// # Errors
    ///
    /// If no slot is free and the global allocator has no memory either, or if `len` exceeds `isize::MAX`.
    pub fn try_alloc(&self, len: usize) -> Result<PoolBuf, AllocError> {
        if let Some(buf) = self.alloc_pooled(len) {
            return Ok(buf);
        }
        let mut heap = Vec::new();
        heap.try_reserve_exact(len).map_err(|_| AllocError::new(len))?;
        Ok(PoolBuf::from_heap(heap, len, &self.shared))
    }

    /// The same as [`alloc`](Self::alloc), but never from the global allocator: `None` if no slot is free that `len` fits.
    ///
    /// What is refused is counted as it is for `alloc`: a miss, or a bypass. An empty buffer (`len` 0) needs no slot.
    pub fn alloc_pooled(&self, len: usize) -> Option<PoolBuf> {
        if len == 0 {
            return Some(PoolBuf::from_heap(Vec::new(), 0, &self.shared));
        }
        PoolBuf::take(&self.shared, len)
    }

    /// The same as [`alloc_pooled`](Self::alloc_pooled), but sleeps until a slot is free, for `timeout` at most: back-pressure for a producer
    /// that is ahead of its consumers.
    ///
    /// Whoever waits is served in the order of arrival, before anybody who comes later with this method. (Other methods do not queue up: they
    /// may take a slot that was given just now.) A wait counts as one hit, or, when its time is up, as one miss.
    ///
    /// ```
    /// use framepool::{BufferPool, Class, Config, WaitError};
    /// use std::time::Duration;
    ///
    /// let pool = BufferPool::with_config(Config::new().class(Class::XLarge, 1_382_400, 2));
    /// let frames = [pool.alloc(1_382_400), pool.alloc(1_382_400)];
    /// assert_eq!(pool.wait_pooled(1_382_400, Duration::ZERO).unwrap_err(), WaitError::TimedOut);
    /// std::thread::spawn(move || drop(frames));
    /// assert!(pool.wait_pooled(1_382_400, Duration::from_secs(10)).is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimedOut`](WaitError::TimedOut); or, at once, [`NeverPooled`](WaitError::NeverPooled) if no slot will ever serve this length.
    pub fn wait_pooled(&self, len: usize, timeout: Duration) -> Result<PoolBuf, WaitError> {
        let Some(layout) = Shared::layout(len) else {
            return self.alloc_pooled(len).ok_or(WaitError::NeverPooled);
        };
        let block = self.shared.wait(layout, timeout)?;
        // SAFETY: a block of this layout that was taken just now.
        Ok(unsafe { PoolBuf::from_slot(block.start, 0, len, &self.shared) })
    }

    /// A snapshot of the statistics, exact once no thread is inside a call.
    ///
    /// A block from the global allocator counts as a miss or a bypass when it is allocated, and not at all when it is freed.
    pub fn stats(&self) -> Stats {
        self.shared.pools.stats()
    }

    /// See `PoolAlloc::check_invariants`.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.shared.pools.check_invariants();
    }

    /// Whether `ptr` points into a slot of these pools, live or not, at its start or not.
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.shared.pools.owns(ptr)
    }

    /// Where each slot of a class is: see [`PoolAlloc::slot_states`](crate::PoolAlloc::slot_states). None is ever cached.
    pub fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize {
        self.shared.pools.slot_states(class, states)
    }

    /// Makes all slots resident now, and reports what the system gave: see [`PoolAlloc::prewarm`](crate::PoolAlloc::prewarm).
    pub fn prewarm(&self) -> Residency {
        Residency::timed(|| self.shared.pools.prewarm())
    }

    /// What the slots' memory is made of right now: see [`PoolAlloc::residency`](crate::PoolAlloc::residency).
    pub fn residency(&self) -> Residency {
        Residency::timed(|| self.shared.pools.residency())
    }

    /// What the system denied so far, without the figures.
    pub(crate) fn denials(&self) -> Residency {
        self.shared.pools.denials()
    }

    /// Gives the memory of free slots back to the system, and returns how many bytes of it were resident: see
    /// [`PoolAlloc::trim`](crate::PoolAlloc::trim).
    pub fn trim(&self) -> usize {
        let bytes = self.shared.pools.trim();
        // Whoever began to wait meanwhile may have missed the slots that the trim had.
        (0..CLASSES).for_each(|class| self.shared.serve(class));
        bytes
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("BufferPool");
        shown.field("name", &self.name).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
