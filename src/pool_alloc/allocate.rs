//! Allocation, of zeroed memory or of any: a hit, or a refusal that a few loads decide, and the slow path behind them.
//!
//! A hit is a leaf: all that needs a stack frame is a function of its own, and the last act of its caller. Builds with
//! debug assertions do not force functions inline, so that `alloc` runs on a small stack.

use core::alloc::{GlobalAlloc, Layout};

use super::PoolAlloc;
use crate::pools::{NoRoute, Pools, cold_path, has_malloc_alignment};
use crate::slots::lane::Lane;
use crate::stats::counters::FallbackReason;
use crate::thread::current::StateGuard;
use crate::tunables::REFUSED_FROM;

/// All `unsafe fn` have `GlobalAlloc`'s contract. `ZEROED` tells `alloc_zeroed` from `alloc`.
impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// Allocates by a hit, or passes the request on to what serves it instead.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) unsafe fn allocate<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        let (pools, size) = (&self.pools, layout.size());
        let Some((guard, metadata)) = pools.enter() else {
            // SAFETY: the caller's contract.
            return unsafe { self.allocate_slow::<ZEROED>(layout) };
        };
        if pools.is_tiny(layout) {
            if has_malloc_alignment(layout)
                && let Some(reason) = pools.tiny_bypass(&guard, metadata, layout)
            {
                // SAFETY: the caller's contract.
                return unsafe { self.refuse::<ZEROED>(layout, reason, guard) };
            }
            cold_path();
        }
        match pools.route(layout) {
            Ok(lane) if ZEROED => match Pools::take_cached_zeroed(&guard, metadata, lane, size) {
                Some(block) => {
                    drop(guard);
                    // SAFETY: a block of this layout that was taken just now.
                    unsafe { block.zeroed(layout) }
                }
                // SAFETY: the caller's contract.
                None => unsafe { self.allocate_from_empty_magazine::<ZEROED>(layout, lane, guard) },
            },
            Ok(lane) => match Pools::take_cached(&guard, metadata, lane, size) {
                Some(start) => start,
                // SAFETY: the caller's contract.
                None => unsafe { self.allocate_from_empty_magazine::<ZEROED>(layout, lane, guard) },
            },
            Err(NoRoute::Fallback(reason)) if size >= REFUSED_FROM => {
                drop(guard);
                // SAFETY: the caller's contract.
                unsafe { self.refuse_big::<ZEROED>(layout, reason) }
            }
            Err(NoRoute::Fallback(reason)) if has_malloc_alignment(layout) => {
                // SAFETY: the caller's contract.
                unsafe { self.refuse::<ZEROED>(layout, reason, guard) }
            }
            Err(NoRoute::Fallback(reason)) => {
                // SAFETY: the caller's contract.
                unsafe { self.refuse_aligned::<ZEROED>(layout, reason, guard) }
            }
            Err(NoRoute::NeedsSlowPath) => {
                drop(guard);
                // SAFETY: the caller's contract.
                unsafe { self.allocate_slow::<ZEROED>(layout) }
            }
        }
    }

    /// Allocates from the fallback.
    #[inline(always)]
    unsafe fn allocate_in_fallback<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.call_fallback(|fallback| unsafe { allocate_from::<ZEROED>(fallback, layout) })
    }

    /// Allocates less than [`REFUSED_FROM`] bytes from the fallback for this reason, and counts them.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    unsafe fn refuse<const ZEROED: bool>(
        &self,
        layout: Layout,
        reason: FallbackReason,
        guard: StateGuard,
    ) -> *mut u8 {
        let is_due = Self::count_refusal(&guard, reason, layout.size());
        drop(guard);
        if is_due {
            // SAFETY: the caller's contract.
            return unsafe { self.consolidate_and_allocate::<ZEROED>(layout) };
        }
        // SAFETY: the caller's contract.
        unsafe { self.allocate_in_fallback::<ZEROED>(layout) }
    }

    /// Refuses a layout whose alignment `malloc` does not give. `System` needs a stack frame for it, which hits must not
    /// set up.
    #[inline(never)]
    unsafe fn refuse_aligned<const ZEROED: bool>(
        &self,
        layout: Layout,
        reason: FallbackReason,
        guard: StateGuard,
    ) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.refuse::<ZEROED>(layout, reason, guard) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn consolidate_and_allocate<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        self.consolidate_heap();
        // SAFETY: the caller's contract.
        unsafe { self.allocate_in_fallback::<ZEROED>(layout) }
    }

    /// Allocates at least [`REFUSED_FROM`] bytes from the fallback for this reason, and counts them.
    #[inline(never)]
    unsafe fn refuse_big<const ZEROED: bool>(&self, layout: Layout, reason: FallbackReason) -> *mut u8 {
        // SAFETY: the caller's contract.
        let call = |fallback: &A| unsafe { allocate_from::<ZEROED>(fallback, layout) };
        self.pass_on_big(Some(reason), layout.size(), call)
    }

    /// Allocates from a lane of which this thread has nothing cached. If the lane has no slot at all, the
    /// request goes to the fallback at once.
    #[inline(never)]
    unsafe fn allocate_from_empty_magazine<const ZEROED: bool>(
        &self,
        layout: Layout,
        lane: Lane,
        guard: StateGuard,
    ) -> *mut u8 {
        if layout.size() >= REFUSED_FROM {
            drop(guard);
            // SAFETY: the caller's contract.
            return unsafe { self.allocate_big_from_empty_magazine::<ZEROED>(layout, lane) };
        }
        if let Some(reason) = self.pools.exhausted(lane) {
            // SAFETY: the caller's contract.
            return unsafe { self.refuse::<ZEROED>(layout, reason, guard) };
        }
        drop(guard);
        // SAFETY: the caller's contract.
        unsafe { self.allocate_uncached::<ZEROED>(layout, lane) }
    }

    /// Allocates at least [`REFUSED_FROM`] bytes from a lane of which this thread has nothing cached. A function of its
    /// own, so that smaller requests do not save registers for it.
    #[inline(never)]
    unsafe fn allocate_big_from_empty_magazine<const ZEROED: bool>(
        &self,
        layout: Layout,
        lane: Lane,
    ) -> *mut u8 {
        match self.pools.exhausted(lane) {
            // SAFETY: the caller's contract.
            Some(reason) => unsafe { self.refuse_big::<ZEROED>(layout, reason) },
            // SAFETY: the caller's contract.
            None => unsafe { self.allocate_uncached::<ZEROED>(layout, lane) },
        }
    }

    /// Allocates from a lane that may have slots. If it has one that threads never cache, this is a hit.
    #[inline(never)]
    unsafe fn allocate_uncached<const ZEROED: bool>(&self, layout: Layout, lane: Lane) -> *mut u8 {
        let Some(block) = self.pools.take_uncached(lane, layout.size()) else {
            // SAFETY: the caller's contract.
            return unsafe { self.allocate_slow::<ZEROED>(layout) };
        };
        if !ZEROED {
            return block.start;
        }
        self.tally().zeroed(block.is_clean);
        // SAFETY: a block of this layout that was taken just now.
        unsafe { block.zeroed(layout) }
    }

    #[inline(never)]
    unsafe fn allocate_slow<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        let tally = self.tally_unless_in_fallback();
        self.pools.recorded(layout, tally.is_none(), || {
            let refused = match tally.map(|tally| (tally, self.pools.take(tally, layout))) {
                Some((tally, Ok(block))) => {
                    if !ZEROED {
                        return block.start;
                    }
                    tally.zeroed(block.is_clean);
                    // SAFETY: a block of this layout that was taken just now.
                    return unsafe { block.zeroed(layout) };
                }
                Some((tally, Err(reason))) => Some((tally, reason)),
                None => None,
            };
            // SAFETY: the caller's contract.
            let call = |fallback: &A| unsafe { allocate_from::<ZEROED>(fallback, layout) };
            self.pass_on(refused, layout.size(), call)
        })
    }
}

/// Calls another allocator's `alloc_zeroed` or `alloc`.
///
/// # Safety
///
/// The contract is that of `GlobalAlloc`.
#[inline(always)]
unsafe fn allocate_from<const ZEROED: bool>(allocator: &impl GlobalAlloc, layout: Layout) -> *mut u8 {
    // SAFETY: the caller's contract.
    unsafe { if ZEROED { allocator.alloc_zeroed(layout) } else { allocator.alloc(layout) } }
}
