//! The pools as a value, for one subsystem, with buffers that give their slots back when they are dropped.
//!
//! Only this module and `pool_alloc` know a fallback. Here it is the program's global allocator. Threads
//! cache no slots: each take and give goes to the shared sets. So a buffer costs several atomic operations,
//! and all counters are exact at once. Handles and buffers share the pools; the last of them unmaps the
//! slots.
//!
//! Two things may block: [`wait_pooled`](BufferPool::wait_pooled), and the lock under which the threads that
//! wait there get their slots. Nothing else here blocks.

#[cfg(feature = "allocator-api2")]
mod allocator;
mod errors;
mod pool_buf;
mod shared;

use core::fmt;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub use errors::{AllocError, WaitError};
pub use pool_buf::PoolBuf;

use crate::config::{Config, ConfigError};
use crate::memory::residency::Residency;
use crate::metadata::slot_state::SlotState;
use crate::slots::class::{CLASSES, Class};
use crate::stats::Stats;
use shared::Shared;

/// Four pools of buffers as a value, for one subsystem: a handle that can be cloned.
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
/// Nothing is [held back](Config::hold_back) unless the configuration asks for it, and threads cache no
/// slots. The pools live as long as one of their handles or buffers. The last one gives all memory back to
/// the system. A program may have as many pools as its address space has room for.
///
/// If no slot is free for a request, the program's global allocator serves it. A method's documentation says
/// if it never asks that allocator.
///
/// If the feature `allocator-api2` is on, collections can live in the slots too. A collection or `Box` that
/// owns a handle keeps the pools alive. One that is leaked or turned into a raw pointer without its allocator
/// does not: allocator-api2's `Box::into_raw` drops the handle. If that was the last handle, the block is
/// unmapped with the pools. Keep another handle, or use `Box::into_raw_with_allocator`.
///
/// After a `fork` of a process with threads, the child's buffers are its own copies. Threads that were
/// [waiting](Self::wait_pooled) do not exist in the child. Slots that had been handed to them a moment before
/// are lost to the child.
///
/// # Complexity
///
/// An allocation and its free together take about seven atomic operations on shared lines, for every size:
/// two on the slot set, three to count, and two for the handle. In a class of more than 64 slots, the set
/// takes four instead of two. If several threads use the same class without pause, a
/// [`PoolAlloc`](crate::PoolAlloc) is quicker.
#[derive(Clone)]
pub struct BufferPool {
    shared: Arc<Shared>,
    name: Option<Cow<'static, str>>,
}

impl BufferPool {
    /// Reserves pools with the default table, with nothing held back.
    ///
    /// Never fails: if the system denies the reservation, the global allocator serves all buffers, and
    /// [`Stats::reservation`] reports it.
    #[expect(clippy::new_without_default, reason = "it reserves address space, which a default should not")]
    #[must_use]
    pub fn new() -> Self {
        Self::with_config(Config::new())
    }

    /// Reserves pools with the table of `config`. [`magazine`](Config::magazine) has no effect here.
    ///
    /// Reserves the address space at once, with about ten system calls. A slot costs memory from its first
    /// use on.
    ///
    /// # Panics
    ///
    /// If the table makes no sense: see [`Config`]. Also if the configuration asks for a
    /// [recording](Config::record), which only a [`PoolAlloc`](crate::PoolAlloc) makes. For a table that is not
    /// known at compile time there is [`try_with_config`](Self::try_with_config).
    #[must_use]
    pub fn with_config(config: Config) -> Self {
        Self::try_with_config(config).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reserves pools as [`with_config`](Self::with_config) does.
    ///
    /// ```
    /// use framepool::{BufferPool, Class, Config};
    ///
    /// let slots = 0; // from a file, for example
    /// let error = BufferPool::try_with_config(Config::new().class(Class::XLarge, 2 << 20, slots)).unwrap_err();
    /// assert_eq!(error.to_string(), "framepool: XLarge has no slots: give it at least 1");
    /// ```
    ///
    /// # Errors
    ///
    /// If the table makes no sense, or the configuration asks for a [recording](Config::record). It is no error
    /// if the system denies the reservation.
    pub fn try_with_config(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        if config.record {
            return Err(ConfigError::of_recorded_value());
        }
        Ok(Self { shared: Arc::new(Shared::new(config)), name: None })
    }

    /// Gives this handle, and those cloned from it, a name for the statistics. Each clone copies a name that is a
    /// `String`.
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Returns the handle's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the handle's name for a longer life than the handle's.
    pub(crate) fn own_name(&self) -> Option<Cow<'static, str>> {
        self.name.clone()
    }

    /// Returns an empty buffer with room for `len` bytes: a slot, or a block of the global allocator if no
    /// slot is free.
    ///
    /// # Panics
    ///
    /// If `len` exceeds `isize::MAX`, as [`Vec::with_capacity`] does. If there is no memory, the call ends in
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error), as `Vec` does too.
    #[must_use]
    pub fn alloc(&self, len: usize) -> PoolBuf {
        if len == 0 {
            return PoolBuf::from_program_vec(Vec::new(), 0, &self.shared);
        }
        PoolBuf::take(&self.shared, len).unwrap_or_else(|refused| {
            let vec = Vec::with_capacity(len);
            self.shared.count_fallback(refused, len, true);
            PoolBuf::from_program_vec(vec, len, &self.shared)
        })
    }

    /// Returns a buffer of `len` zeros.
    ///
    /// A slot is zero already if it was never used, was [trimmed](Self::trim) or was [cleared on
    /// free](Config::zero_on_free). Any other slot costs a `memset`.
    ///
    /// # Panics
    ///
    /// In the same cases as [`alloc`](Self::alloc).
    #[must_use]
    pub fn alloc_zeroed(&self, len: usize) -> PoolBuf {
        let Some(layout) = Shared::layout(len) else { return self.alloc(len) };
        match self.shared.take(layout) {
            Ok(block) => {
                self.shared.count_zeroed(&block);
                // SAFETY: the block was taken for this layout just now.
                let start = unsafe { block.zeroed(layout) };
                // SAFETY: the same block, whose first `len` bytes are zeros.
                unsafe { PoolBuf::from_slot(start, len, len, &self.shared) }
            }
            Err(reason) => {
                let vec = vec![0; len];
                self.shared.count_fallback(Some(reason), len, true);
                PoolBuf::from_program_vec(vec, len, &self.shared)
            }
        }
    }

    /// Returns an empty buffer as [`alloc`](Self::alloc) does, but an error if there is no memory.
    ///
    /// # Errors
    ///
    /// If no slot is free and the global allocator has no memory either, or if `len` exceeds `isize::MAX`.
    pub fn try_alloc(&self, len: usize) -> Result<PoolBuf, AllocError> {
        if len == 0 {
            return Ok(PoolBuf::from_program_vec(Vec::new(), 0, &self.shared));
        }
        let refused = match PoolBuf::take(&self.shared, len) {
            Ok(buf) => return Ok(buf),
            Err(refused) => refused,
        };
        let mut vec = Vec::new();
        let reserved = vec.try_reserve_exact(len);
        self.shared.count_fallback(refused, len, reserved.is_ok());
        reserved.map_err(|_| AllocError::new(len))?;
        Ok(PoolBuf::from_program_vec(vec, len, &self.shared))
    }

    /// Returns an empty buffer in a slot, or `None` if no slot that `len` fits is free.
    ///
    /// It never asks the global allocator. `None` counts as a miss or a bypass that got [no
    /// memory](Stats::failed). An empty buffer (`len` 0) needs no slot.
    #[must_use]
    pub fn alloc_pooled(&self, len: usize) -> Option<PoolBuf> {
        if len == 0 {
            return Some(PoolBuf::from_program_vec(Vec::new(), 0, &self.shared));
        }
        PoolBuf::take(&self.shared, len)
            .map_err(|refused| self.shared.count_fallback(refused, len, false))
            .ok()
    }

    /// Waits until a slot is free, for at most `timeout`, and returns an empty buffer in it.
    ///
    /// The calling thread sleeps meanwhile: back-pressure for a producer that is ahead of its consumers. The
    /// threads that wait for a class form a FIFO queue. A thread may overtake those before it only if its
    /// length may have [held-back](Config::hold_back) slots and theirs may not. Other methods do not queue:
    /// they may take a slot that was given a moment before.
    ///
    /// A wait that gets a slot counts as one hit. A wait that times out counts as one miss, or as one bypass
    /// if its length may not have held-back slots of its class; either got [no memory](Stats::failed).
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
    /// [`TimedOut`](WaitError::TimedOut) if no slot came free in time.
    /// [`NeverPooled`](WaitError::NeverPooled), at once, if no slot will ever serve this length.
    pub fn wait_pooled(&self, len: usize, timeout: Duration) -> Result<PoolBuf, WaitError> {
        let Some(layout) = Shared::layout(len) else {
            return self.alloc_pooled(len).ok_or(WaitError::NeverPooled);
        };
        let block = self.shared.wait(layout, timeout)?;
        // SAFETY: the block was taken for this layout just now.
        Ok(unsafe { PoolBuf::from_slot(block.start, 0, len, &self.shared) })
    }

    /// Returns a snapshot of the statistics, exact once no thread is inside a call.
    ///
    /// A block of the global allocator counts as a miss or a bypass when it is allocated. Its free is not
    /// counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.pools.stats()
    }

    /// Returns the configuration of the pools, without the default hold-backs.
    #[must_use]
    pub fn config(&self) -> Config {
        self.shared.pools.config()
    }

    /// Checks the invariants: see `PoolAlloc::check_invariants`.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.shared.pools.check_invariants();
    }

    /// Whether `ptr` points into a slot of these pools, live or not, at its start or not.
    #[must_use]
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.shared.pools.owns(ptr)
    }

    /// Writes the state of each slot of a class to `states`, and returns how many were written.
    ///
    /// It works as [`PoolAlloc::slot_states`](crate::PoolAlloc::slot_states) does. No slot is ever cached
    /// here.
    pub fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize {
        self.shared.pools.slot_states(class, states)
    }

    /// Makes all slots resident now, and reports what the system gave: see
    /// [`PoolAlloc::prewarm`](crate::PoolAlloc::prewarm).
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does; the result is a figure")]
    pub fn prewarm(&self) -> Residency {
        Residency::timed(|| self.shared.pools.prewarm())
    }

    /// Reports what the memory of the slots consists of now: see
    /// [`PoolAlloc::residency`](crate::PoolAlloc::residency).
    #[must_use]
    pub fn residency(&self) -> Residency {
        Residency::timed(|| self.shared.pools.residency())
    }

    /// Returns what the system denied so far, without the figures.
    pub(crate) fn denials(&self) -> Residency {
        self.shared.pools.denials()
    }

    /// Gives the memory of free slots back to the system, and returns how many bytes of it were resident: see
    /// [`PoolAlloc::trim`](crate::PoolAlloc::trim).
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does; the result is a figure")]
    pub fn trim(&self) -> usize {
        let bytes = self.shared.pools.trim();
        // A thread that began to wait meanwhile may have missed the slots that the trim held.
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
