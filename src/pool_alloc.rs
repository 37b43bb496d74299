//! The face for whole programs: how an allocator is made, and what can be asked of it.
//!
//! Where each call of `GlobalAlloc` goes is in `global_alloc.rs` and `realloc.rs`. Beside `buffer_pool` the only room that knows the fallback.

mod fallback;
mod global_alloc;
mod realloc;
mod residency;

use core::fmt;
use std::alloc::System;

use crate::config::Config;
use crate::metadata::slot_state::SlotState;
use crate::pools::Pools;
use crate::slots::class::Class;
use crate::stats::Stats;

/// A global allocator that serves every layout which fits a size class from a pool reserved up front, and passes all others
/// to `A`.
///
/// ```
/// use framepool::{Class, PoolAlloc};
///
/// #[global_allocator]
/// static ALLOC: PoolAlloc = PoolAlloc::new();
///
/// let frame = vec![0_u8; 1280 * 720 * 3 / 2];
/// assert!(ALLOC.owns(frame.as_ptr()));
/// assert!(ALLOC.stats().class(Class::XLarge).hits >= 1);
/// ```
///
/// The pools are reserved on the first allocation, once: address space, no memory yet. They are never given back, not when the value is
/// dropped either, so a `PoolAlloc` belongs into a `static`. In a process that has threads by
/// then, that first allocation can take some 20 ms on Linux.
///
/// A library that holds this crate is never unloaded (glibc): its threads may exit after it was closed. Opening it again finds it as it was. In a
/// namespace of its own (`dlmopen`) it is unloaded, and its threads have neither magazines nor counters of their own.
///
/// # Complexity
///
/// A hit is a few plain loads and stores, whatever the size, where the thread has a slot at hand; so is a free where it has room. Otherwise
/// either is an atomic operation or a few on the shared set, for several slots at once. Only a request that finds every slot taken
/// looks at what all other threads have cached, once until half of the class was free again. What the pools do not serve
/// costs the fallback's time and some loads and stores.
///
/// # Aborts
///
/// Freeing or reallocating a block of the pools wrongly ends the process with a text on standard error and SIGABRT, in release
/// builds too: freed twice, not the start of a slot, never handed out, or with a layout larger or more aligned than its
/// slot. A double free is not seen once the slot was handed out again.
pub struct PoolAlloc<A = System> {
    fallback: A,
    /// Whether it is known not to call back.
    has_plain_fallback: bool,
    pools: Pools,
}

impl PoolAlloc {
    /// The default table, and [`System`] as the fallback.
    pub const fn new() -> Self {
        Self::with_config(Config::new())
    }

    /// A table of one's own, and [`System`] as the fallback.
    ///
    /// # Panics
    ///
    /// If the table makes no sense (see [`Config`]): at compile time where the value is a `static` or a `const`.
    pub const fn with_config(config: Config) -> Self {
        Self::with_fallback(System, config)
    }
}

impl Default for PoolAlloc {
    /// The same as [`PoolAlloc::new`].
    fn default() -> Self {
        Self::new()
    }
}

impl<A> PoolAlloc<A> {
    /// A table of one's own, and any allocator as the fallback, also one that allocates for itself through the global allocator.
    ///
    /// What the fallback asks for inside a call is its own, uncounted (see [`unpooled`](Self::unpooled)). For that, each call costs some twenty
    /// loads and stores more. A signal handler that interrupts such a call cannot be told from it: its requests go to the interrupted
    /// fallback, although slots are free. For a fallback that does not call back, use [`with_plain_fallback`](Self::with_plain_fallback).
    ///
    /// # Panics
    ///
    /// As [`with_config`](PoolAlloc::with_config).
    pub const fn with_fallback(fallback: A, config: Config) -> Self {
        Self { fallback, has_plain_fallback: false, pools: Pools::new(&config) }
    }

    /// The same for a fallback that does not call back: that asks the global allocator for nothing, as mimalloc, jemalloc and most others.
    ///
    /// Calls into it cost no more than calls into [`System`] do, and a signal handler that interrupts one is served from the pools. Should the
    /// fallback call back all the same, its requests are pooled and counted like the program's.
    ///
    /// ```
    /// use framepool::{Config, PoolAlloc};
    /// use std::alloc::System; // or mimalloc's, or jemalloc's
    ///
    /// #[global_allocator]
    /// static ALLOC: PoolAlloc<System> = PoolAlloc::with_plain_fallback(System, Config::new());
    ///
    /// let frame = vec![0_u8; 1_382_400];
    /// assert!(ALLOC.owns(frame.as_ptr()));
    /// ```
    ///
    /// # Panics
    ///
    /// As [`with_config`](PoolAlloc::with_config).
    pub const fn with_plain_fallback(fallback: A, config: Config) -> Self {
        Self { fallback, has_plain_fallback: true, pools: Pools::new(&config) }
    }

    /// A snapshot of the statistics.
    ///
    /// Takes no lock and allocates nothing; reads the counters of every thread that ever had its own, 54 loads each.
    /// Exact once no thread is inside the allocator.
    pub fn stats(&self) -> Stats {
        self.pools.stats()
    }

    /// Whether this is the program's `#[global_allocator]`, or the one that it passes requests to.
    ///
    /// Makes a probe allocation, which moves the counters; while other threads use an allocator that is not installed, the
    /// answer may be `true` all the same. Always `false` inside [`unpooled`](Self::unpooled), where nothing is counted.
    pub fn is_installed(&self) -> bool {
        let before = self.stats().total_allocs();
        drop(core::hint::black_box(Box::new(0_u8)));
        self.stats().total_allocs() != before
    }

    /// Whether `ptr` points into a slot of this allocator, live or not, at its start or not.
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.pools.owns(ptr)
    }

    /// Bytes that a live block of the pools may grow to without moving: those of its slot.
    ///
    /// `None` if `ptr` is not the start of a live slot, for blocks of the fallback above all.
    pub fn usable_size(&self, ptr: *const u8) -> Option<usize> {
        self.pools.usable_size(ptr)
    }

    /// Where each slot of a class is, for tools that show it: writes the lowest ones to `states`, as many as it has room for, and returns how
    /// many that were. 0 before the pools are reserved.
    ///
    /// While threads are busy, each state is one that was true a moment ago. Allocates nothing; a few loads for each slot.
    ///
    /// ```
    /// use framepool::{Class, PoolAlloc, SlotState};
    ///
    /// #[global_allocator]
    /// static ALLOC: PoolAlloc = PoolAlloc::new();
    ///
    /// let frame = vec![0_u8; 1 << 20];
    /// let mut states = [SlotState::default(); 64];
    /// assert_eq!(ALLOC.slot_states(Class::XLarge, &mut states), 64);
    /// assert_eq!(states[0], SlotState::Live);
    /// assert_eq!(states[1..], [SlotState::Free; 63]);
    /// ```
    pub fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize {
        self.pools.slot_states(class, states)
    }

    /// Checks that each slot is in exactly one place and that the statistics agree. For this crate's own tests.
    ///
    /// # Panics
    ///
    /// If not, or if another thread is inside the allocator.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.pools.check_invariants();
    }

    /// Switches the pools off for new allocations (`false`), or on again (`true`, as they start).
    ///
    /// While they are off, every new block comes from the fallback (bypass: disabled). Blocks that live in the pools stay,
    /// grow in place, and go back there when they are freed. May be called at any time, by any thread; a call that another
    /// thread has begun may still be served as before.
    pub fn set_enabled(&self, yes: bool) {
        self.pools.set_enabled(yes);
    }
}

impl<A> fmt::Debug for PoolAlloc<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolAlloc").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux", not(framepool_os = "none"), not(framepool_loom)))]
mod tests;
