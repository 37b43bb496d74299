//! Calls into the fallback, and the requests that it makes of this allocator meanwhile.

use core::alloc::{GlobalAlloc, Layout};
use core::any::TypeId;
use core::ptr;
use std::alloc::System;

use super::PoolAlloc;
use crate::metadata::Tally;
use crate::os;
use crate::stats::counters::FallbackReason;
use crate::thread::current::StateGuard;
use crate::thread::nested::{self, FallbackFrame};
use crate::tunables::REFUSED_FROM;

impl<A> PoolAlloc<A> {
    /// Runs `f` without the pools.
    ///
    /// While `f` runs, the fallback serves all that this thread allocates through this allocator. None of it
    /// is counted, except in [`TooLarge::at_once`](crate::stats::TooLarge::at_once).
    ///
    /// This is for code that should not be measured, and for a program's start. The intended use is a
    /// profiler as the fallback. A profiler allocates blocks of its own when it is built and when it writes
    /// its results, outside any call of the allocator:
    ///
    /// ```no_run
    /// use framepool::{Config, PoolAlloc};
    ///
    /// #[global_allocator]
    /// static ALLOC: PoolAlloc<dhat::Alloc> = PoolAlloc::with_fallback(dhat::Alloc, Config::new());
    ///
    /// let profiler = ALLOC.unpooled(dhat::Profiler::new_heap);
    /// // The program.
    /// ALLOC.unpooled(|| drop(profiler));
    /// ```
    ///
    /// Blocks that live in the pools stay there while they fit their slots, and go back there when they are
    /// freed. Both are counted as usual. A panic in `f` also ends the unpooled scope. Other threads are not
    /// affected. Other allocators serve this thread as usual, but only from their shared sets. Calls may be
    /// nested.
    ///
    /// # Coroutines, signal handlers, cancellation
    ///
    /// The unpooled scope belongs to the thread on which `f` begins. Coroutines that suspend inside `f` may end in
    /// any order. If `f` ends on another thread, nothing changes on that thread, and the first thread stays
    /// without the pools until that thread ends. What it allocates through this allocator goes to the
    /// fallback, uncounted. What it allocates through other allocators comes from their shared sets.
    ///
    /// This also happens if `f` never ends, because its stack is dropped without unwinding or left by
    /// `siglongjmp`. Thread cancellation unwinds, so it ends the scope. While a thread is inside
    /// `unpooled` of more than 8 allocators at once, it is outside the pools of all allocators.
    ///
    /// # Complexity
    ///
    /// Several loads and stores. Inside, a request costs several more than the fallback's own time.
    pub fn unpooled<R>(&self, f: impl FnOnce() -> R) -> R {
        let _frame = FallbackFrame::enter(self.address());
        f()
    }

    fn address(&self) -> *const () {
        // The address of the pools, not of `self`: a fallback that is another `PoolAlloc` may lie at the very
        // start of `self`.
        ptr::from_ref(&self.pools).cast()
    }

    /// Answers [`is_in_fallback`](Self::is_in_fallback) for functions that also call the fallback, which may
    /// suspend. It is never inlined into them.
    #[inline(never)]
    pub(super) fn is_in_fallback_now(&self) -> bool {
        self.is_in_fallback()
    }

    /// Whether this thread is inside the fallback, so that its requests are the fallback's.
    #[inline]
    pub(super) fn is_in_fallback(&self) -> bool {
        nested::is_inside(self.address())
    }
}

impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// Calls the fallback. Blocks that the fallback requests from this allocator meanwhile are its own. It
    /// may suspend a coroutine, as `unpooled` may.
    ///
    /// [`System`] does not call back, nor does a [plain](Self::with_plain_fallback) fallback, and neither
    /// pays for it.
    #[inline(always)]
    pub(super) fn call_fallback<R>(&self, f: impl FnOnce(&A) -> R) -> R {
        if Self::is_on_system() || self.has_plain_fallback {
            f(&self.fallback)
        } else {
            self.call_fallback_in_frame(f)
        }
    }

    /// Whether the fallback is [`System`]. Known at compile time.
    #[inline(always)]
    fn is_on_system() -> bool {
        TypeId::of::<A>() == TypeId::of::<System>()
    }

    /// Whether the fallback is the system's heap, and that heap misses the large requests that the pools take. Known at
    /// compile time.
    #[inline(always)]
    fn needs_consolidation() -> bool {
        os::CONSOLIDATES && Self::is_on_system()
    }

    /// Counts a small request that the fallback serves for this reason. Returns whether to
    /// [consolidate](Self::consolidate_heap) first.
    #[inline(always)]
    pub(super) fn count_refusal(guard: &StateGuard, reason: FallbackReason, size: usize) -> bool {
        guard.rest().count_fallback(reason, size) && Self::needs_consolidation()
    }

    /// Makes the system's heap [consolidate](os::consolidate_heap), if the pools have taken requests of this thread for
    /// which it would have done so by itself.
    #[cold]
    pub(super) fn consolidate_heap(&self) {
        if self.pools.have_taken_large_requests(self.tally_now()) {
            os::consolidate_heap();
        }
    }

    /// Counts the call even if this thread is inside already: the coroutine that entered first may leave
    /// before this one.
    fn call_fallback_in_frame<R>(&self, f: impl FnOnce(&A) -> R) -> R {
        self.unpooled(|| f(&self.fallback))
    }

    /// Passes on to the fallback a request that the pools do not serve for this reason, and counts it. `None`
    /// means that the thread is inside the fallback; then only live blocks above every slot are counted.
    ///
    /// A small request is counted before the call, which is then the last act in most callers. Whether the
    /// fallback serves it is not known at that point.
    #[inline(always)]
    pub(super) fn pass_on(
        &self,
        counts: Option<(Tally<'_>, FallbackReason)>,
        size: usize,
        call: impl FnOnce(&A) -> *mut u8,
    ) -> *mut u8 {
        if size >= REFUSED_FROM {
            return self.pass_on_big(counts.map(|(_, reason)| reason), size, call);
        }
        if let Some((tally, reason)) = counts {
            let is_due = self.pools.count_fallback(tally, reason, size, true);
            if is_due && Self::needs_consolidation() {
                self.consolidate_heap();
            }
        }
        self.call_fallback(call)
    }

    /// Passes a request of at least [`REFUSED_FROM`] bytes on to the fallback, and counts it afterwards: as failed
    /// if the fallback has no memory either.
    #[inline]
    pub(super) fn pass_on_big(
        &self,
        reason: Option<FallbackReason>,
        size: usize,
        call: impl FnOnce(&A) -> *mut u8,
    ) -> *mut u8 {
        let start = self.call_fallback(call);
        if let Some(reason) = reason {
            self.pools.count_fallback(self.tally_now(), reason, size, !start.is_null());
        }
        if !start.is_null() {
            self.pools.too_large_block_begins(size);
        }
        start
    }

    /// Returns where this thread counts its requests to the pools; `None` inside the fallback.
    #[inline]
    pub(super) fn tally_unless_in_fallback(&self) -> Option<Tally<'_>> {
        if self.is_in_fallback() { None } else { Some(self.tally()) }
    }

    /// Answers [`tally`](Self::tally) for functions that also call the fallback, which may suspend. It is
    /// never inlined into them.
    #[inline(never)]
    pub(super) fn tally_now(&self) -> Tally<'_> {
        self.tally()
    }

    /// Returns where this thread counts. For functions that call the fallback only as their last act, or not
    /// at all.
    #[inline]
    pub(super) fn tally(&self) -> Tally<'_> {
        self.pools.tally(&FallbackSource(self))
    }
}

/// The fallback as a source of memory for the pools themselves.
pub(super) struct FallbackSource<'a, A>(pub(super) &'a PoolAlloc<A>);

// SAFETY: the fallback keeps the contract of `GlobalAlloc`.
unsafe impl<A: GlobalAlloc + 'static> GlobalAlloc for FallbackSource<'_, A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.0.call_fallback(|fallback| unsafe { fallback.alloc(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        self.0.call_fallback(|fallback| unsafe { fallback.dealloc(ptr, layout) });
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        self.0.call_fallback(|fallback| unsafe { fallback.alloc_zeroed(layout) })
    }
}
