//! [`PoolAlloc`], the allocator for whole programs: how it is made, and what a program can ask of it.
//!
//! `global_alloc.rs` and `realloc.rs` decide where each call of `GlobalAlloc` goes. Only this module and
//! `buffer_pool` know the fallback.

mod allocate;
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

/// A global allocator that serves large buffers from four pools, which it reserves up front.
///
/// A layout that fits a size class gets a slot of that class. All other layouts go to the fallback `A`.
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
/// The pools are reserved once, on the first allocation: this takes address space, and no memory yet. They
/// are never given back to the system, not even when the value is dropped. So a `PoolAlloc` belongs in a
/// `static`. If the process already has threads, this first allocation can take up to 20 ms on Linux.
///
/// A library that contains this crate is never unloaded (glibc), because its threads may exit after it was
/// closed. A program that opens it again finds it as it was. In a namespace of its own (`dlmopen`) the
/// library is unloaded, and its threads have neither magazines nor counters of their own.
///
/// # Complexity
///
/// If the calling thread has a cached slot, a hit is a few plain loads and stores for any size. So is a free,
/// if the thread's magazine has room. Otherwise, each is one or a few atomic operations on the shared set,
/// which move several slots at once. Only a request that finds no free slot looks at what all other threads
/// have cached. After that, no request looks again until half of the class is free. A request that the pools
/// do not serve costs the fallback's time and several loads and stores. From 16 KiB up it is also counted by
/// size (about 15 ns). Blocks above the slots of XLarge are also counted while they live: two atomic
/// operations of all threads for each.
///
/// # Aborts
///
/// If a block of the pools is freed or reallocated wrongly, the process ends with a text on standard error
/// and SIGABRT, in release builds too. The wrong pointer or layout is one of these:
///
/// - a block that was freed before. This goes undetected once the slot has been handed out again;
/// - an address that is not the start of a slot, or a slot that was never handed out;
/// - a layout that is larger or more aligned than the slot.
pub struct PoolAlloc<A = System> {
    fallback: A,
    /// Whether the fallback is known not to call back.
    has_plain_fallback: bool,
    pools: Pools,
}

impl PoolAlloc {
    /// Creates an allocator with the default table, and [`System`] as the fallback.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_config(Config::new())
    }

    /// Creates an allocator with the table `config`, and [`System`] as the fallback.
    ///
    /// # Panics
    ///
    /// If the table is not valid (see [`Config`]): at compile time if the value is a `static` or a `const`.
    #[must_use]
    pub const fn with_config(config: Config) -> Self {
        Self::with_fallback(System, config)
    }
}

impl Default for PoolAlloc {
    /// Creates an allocator as [`PoolAlloc::new`] does.
    fn default() -> Self {
        Self::new()
    }
}

impl<A> PoolAlloc<A> {
    /// Creates an allocator with the table `config`, and any allocator as the fallback.
    ///
    /// The fallback may itself allocate through the global allocator. Blocks that it requests inside a call
    /// come from the fallback, and are not counted (see [`unpooled`](Self::unpooled)). This costs each call
    /// of the fallback about 20 more loads and stores. A signal handler that interrupts such a call cannot be
    /// told from it: the handler's requests go to the interrupted fallback, although slots are free. For a
    /// fallback that does not call back, use [`with_plain_fallback`](Self::with_plain_fallback).
    ///
    /// # Panics
    ///
    /// Under the same conditions as [`with_config`](PoolAlloc::with_config).
    pub const fn with_fallback(fallback: A, config: Config) -> Self {
        Self { fallback, has_plain_fallback: false, pools: Pools::new(&config) }
    }

    /// Creates an allocator with the table `config`, and a fallback that does not call back.
    ///
    /// Such a fallback requests nothing from the global allocator. This holds for mimalloc, jemalloc and most
    /// others. Calls into it cost no more than calls into [`System`] do, and the pools serve a signal handler
    /// that interrupts one. If the fallback does call back, its requests are pooled and counted like the
    /// program's.
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
    /// Under the same conditions as [`with_config`](PoolAlloc::with_config).
    pub const fn with_plain_fallback(fallback: A, config: Config) -> Self {
        Self { fallback, has_plain_fallback: true, pools: Pools::new(&config) }
    }

    /// Returns a snapshot of the statistics.
    ///
    /// Takes no lock and allocates nothing. It reads the counters of every thread that ever had its own: about
    /// 70 loads each, and 210 more for one whose requests of at least 16 KiB were refused. The snapshot is exact
    /// once no thread is inside the allocator.
    pub fn stats(&self) -> Stats {
        self.pools.stats()
    }

    /// Whether this is the program's `#[global_allocator]`, or the allocator that it passes requests to.
    ///
    /// Makes a probe allocation, which changes the counters. If this allocator is not installed but other
    /// threads use it, the answer may still be `true`. Inside [`unpooled`](Self::unpooled), where nothing is
    /// counted, it is always `false`.
    pub fn is_installed(&self) -> bool {
        let before = self.stats().total_allocs();
        drop(core::hint::black_box(Box::new(0_u8)));
        self.stats().total_allocs() != before
    }

    /// Whether `ptr` points into a slot of this allocator, live or not, at its start or not.
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.pools.owns(ptr)
    }

    /// Returns the bytes that a live block of the pools may grow to without moving: the size of its slot.
    ///
    /// `None` if `ptr` is not the start of a live slot, as for a block of the fallback.
    pub fn usable_size(&self, ptr: *const u8) -> Option<usize> {
        self.pools.usable_size(ptr)
    }

    /// Writes the state of each slot of a class to `states`, for tools that show it, and returns how many
    /// were written.
    ///
    /// It starts at the lowest slot and stops where `states` is full. It returns 0 before the pools are
    /// reserved.
    ///
    /// While threads are busy, each state was true a moment ago. Allocates nothing; a few loads for each
    /// slot.
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

    /// Checks that each slot is in exactly one place and that the statistics agree. For this crate's own
    /// tests.
    ///
    /// # Panics
    ///
    /// If this does not hold, or if another thread is inside the allocator.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.pools.check_invariants();
    }

    /// Switches the pools off for new allocations (`false`), or on again (`true`). At first they are on.
    ///
    /// While they are off, every new block comes from the fallback (bypass: disabled). Blocks that live in
    /// the pools stay, grow in place, and go back to the pools when they are freed. Any thread may call this
    /// at any time. A call that another thread has already begun may still be served as before.
    pub fn set_enabled(&self, yes: bool) {
        self.pools.set_enabled(yes);
    }

    /// Returns whether the pools are switched on for new allocations: see [`set_enabled`](Self::set_enabled).
    ///
    /// It does not tell whether they [have their memory](crate::Stats::reservation).
    pub fn is_enabled(&self) -> bool {
        self.pools.is_enabled()
    }

    /// Returns the configuration in force.
    ///
    /// It is the one that the allocator was built with, unless the [environment](Config::env) changed it. That
    /// is known once the pools are reserved, by the first allocation.
    pub fn config(&self) -> Config {
        self.pools.config()
    }

    /// Returns the fallback. What is allocated through it directly is not counted.
    pub fn fallback(&self) -> &A {
        &self.fallback
    }
}

impl<A> fmt::Debug for PoolAlloc<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolAlloc").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux", not(framepool_os = "none")))]
mod tests;
