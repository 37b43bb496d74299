//! The face for whole programs: `GlobalAlloc`, and where each call goes.
//!
//! In by layout, out by address (P1): a block goes back to whoever served it, whatever its layout. The one room beside
//! `buffer_pool` that knows the fallback. Nothing here blocks, panics, or holds a lock or a
//! thread's record across a call into the fallback.

mod fallback;
mod realloc;
mod residency;

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use std::alloc::System;

use crate::config::Config;
use crate::metadata::slot_state::SlotState;
use crate::pools::{Detour, Pools, is_plain, unlikely};
use crate::slots::class::Class;
use crate::slots::lane::Lane;
use crate::stats::Stats;
use crate::stats::counters::Refusal;
use crate::thread::state::Inside;

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

// SAFETY:
// - No unwinding: nothing below panics, and misuse aborts.
// - A block is a slot or one of the fallback's. A slot is aligned and large enough for its layout by the choice of its class, and
//   this caller's alone from the moment that the set let go of it until `give`. The fallback keeps the contract for
//   its own blocks, and gets back exactly those, because the address tells: it is inside the reservation or it is not.
// - What `stats` and the like read is never relied upon for any of this.
// Coroutines suspend between two calls and go on on another thread. What is inlined into one of them may keep the address of a thread-local over that:
// the compiler takes it for a constant of the function. So whatever reads a thread-local is never inlined there.
unsafe impl<A: GlobalAlloc + 'static> GlobalAlloc for PoolAlloc<A> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (pools, size) = (&self.pools, layout.size());
        let Some((inside, metadata)) = pools.enter() else {
            // SAFETY: the caller's contract.
            return unsafe { self.alloc_slowly(layout) };
        };
        if pools.is_tiny(layout) {
            if is_plain(layout)
                && let Some(reason) = pools.tiny_refusal(&inside, metadata, layout)
            {
                inside.rest().count_refusal(0, reason, size);
                drop(inside);
                // SAFETY: the caller's contract.
                return self.outside(|fallback| unsafe { fallback.alloc(layout) });
            }
            unlikely();
        }
        match pools.route(layout) {
            Ok(lane) => match Pools::take_cached(&inside, metadata, lane, size) {
                Some(start) => start,
                // SAFETY: the caller's contract.
                None => unsafe { self.alloc_dry(layout, lane, inside) },
            },
            Err(Detour::BelowFloor(class)) => {
                inside.rest().count_refusal(class, Refusal::BelowFloor, size);
                drop(inside);
                // SAFETY: the caller's contract.
                unsafe { self.fall_back(layout) }
            }
            Err(Detour::TooLarge) => {
                inside.rest().count_too_large(size);
                drop(inside);
                // SAFETY: the caller's contract.
                unsafe { self.fall_back(layout) }
            }
            Err(Detour::Unusual) => {
                drop(inside);
                // SAFETY: the caller's contract.
                unsafe { self.alloc_slowly(layout) }
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if self.pools.spans(ptr) {
            // SAFETY: the caller's contract.
            unsafe { self.dealloc_slot(ptr, layout) }
        } else {
            // SAFETY: not of the pools, so of the fallback, with the layout that it was allocated with.
            self.outside(|fallback| unsafe { fallback.dealloc(ptr, layout) });
        }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if let Some((inside, metadata)) = self.pools.enter()
            && let Ok(lane) = self.pools.route(layout)
            && let Some(block) = Pools::take_cached_zeroed(&inside, metadata, lane, layout.size())
        {
            drop(inside);
            // SAFETY: a block of this layout that was taken just now.
            return unsafe { block.zeroed(layout) };
        }
        // SAFETY: the caller's contract.
        unsafe { self.alloc_zeroed_slowly(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract: `new_size`, rounded up to the alignment, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if self.pools.spans(ptr) {
            // SAFETY: the caller's contract.
            unsafe { self.realloc_slot(ptr, layout, new_layout) }
        } else {
            // SAFETY: not of the pools, so of the fallback; the rest is the caller's contract.
            unsafe { self.realloc_fallback(ptr, layout, new_layout) }
        }
    }
}

/// What is too long or too rare for the above. Safety is `GlobalAlloc`'s everywhere.
impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// The fallback's `alloc`. `System` starts with the same question and has a stack frame for the second answer, which must not be set
    /// up by hits.
    #[inline(always)]
    unsafe fn fall_back(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            // SAFETY: the caller's contract.
            self.outside(|fallback| unsafe { fallback.alloc(layout) })
        } else {
            // SAFETY: as above.
            unsafe { self.fall_back_aligned(layout) }
        }
    }

    #[inline(never)]
    unsafe fn fall_back_aligned(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.outside(|fallback| unsafe { fallback.alloc(layout) })
    }

    /// A lane that has nothing at hand. If it has nothing at all, this is on its way to the fallback at once.
    #[inline(never)]
    unsafe fn alloc_dry(&self, layout: Layout, lane: Lane, inside: Inside) -> *mut u8 {
        if let Some(reason) = self.pools.refusal(lane) {
            inside.rest().count_refusal(lane.class(), reason, layout.size());
            drop(inside);
            // SAFETY: the caller's contract.
            return self.outside(|fallback| unsafe { fallback.alloc(layout) });
        }
        drop(inside);
        // SAFETY: the caller's contract.
        unsafe { self.alloc_slowly(layout) }
    }

    #[inline(never)]
    unsafe fn alloc_slowly(&self, layout: Layout) -> *mut u8 {
        let tally = self.tally_unless_nested();
        self.pools.recorded(layout, tally.is_none(), || {
            match tally.and_then(|tally| self.pools.take(tally, layout)) {
                Some(block) => block.start,
                // SAFETY: the caller's contract.
                None => self.outside(|fallback| unsafe { fallback.alloc(layout) }),
            }
        })
    }

    /// Out of line, so that what it needs is not set up for blocks of the fallback.
    #[inline(never)]
    unsafe fn dealloc_slot(&self, ptr: *mut u8, layout: Layout) {
        let metadata = self.pools.metadata();
        let Some((found, entry)) = self.pools.find_quickly(metadata, ptr, layout) else {
            // SAFETY: the caller's contract.
            return unsafe { self.dealloc_slowly(ptr, layout) };
        };
        if !Pools::give_cached(metadata, found, entry) {
            // SAFETY: just found, and the caller gives it up.
            unsafe { self.dealloc_found(ptr) }
        }
    }

    #[inline(never)]
    unsafe fn dealloc_slowly(&self, ptr: *mut u8, layout: Layout) {
        if self.pools.is_recording() {
            // SAFETY: the caller's contract.
            return unsafe { self.dealloc_recorded(ptr, layout) };
        }
        self.pools.find(ptr, layout);
        // SAFETY: just found, and the caller gives it up.
        unsafe { self.dealloc_found(ptr) }
    }

    /// During a recording blocks of the fallback come here, too.
    #[cold]
    unsafe fn dealloc_recorded(&self, ptr: *mut u8, layout: Layout) {
        self.pools.recorded_free(ptr, layout, self.is_nested(), || {
            if self.pools.is_ours(ptr) {
                self.pools.find(ptr, layout);
                // SAFETY: just found, and the caller gives it up.
                unsafe { self.dealloc_found(ptr) }
            } else {
                // SAFETY: not of the pools, so of the fallback, with the layout that it was allocated with.
                self.outside(|fallback| unsafe { fallback.dealloc(ptr, layout) });
            }
        });
    }

    /// Frees a slot that was found. Takes its address alone, so that who tail-calls this has a register left.
    #[inline(never)]
    unsafe fn dealloc_found(&self, ptr: *mut u8) {
        // SAFETY: the caller's contract.
        unsafe { self.pools.give(self.tally(), self.pools.find_again(ptr)) }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed_slowly(&self, layout: Layout) -> *mut u8 {
        let tally = self.tally_unless_nested();
        self.pools.recorded(layout, tally.is_none(), || {
            let taken = tally.and_then(|tally| Some((tally, self.pools.take(tally, layout)?)));
            let Some((tally, block)) = taken else {
                // SAFETY: the caller's contract.
                return self.outside(|fallback| unsafe { fallback.alloc_zeroed(layout) });
            };
            tally.count(|counters, add| add(counters.memsets(block.is_clean), 1));
            // SAFETY: a block of this layout that was taken just now.
            unsafe { block.zeroed(layout) }
        })
    }
}

#[cfg(all(test, target_os = "linux", not(framepool_os = "none"), not(framepool_loom)))]
mod tests;
