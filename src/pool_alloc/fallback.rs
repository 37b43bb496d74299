//! In the fallback, and what comes back from there.

use core::alloc::{GlobalAlloc, Layout};
use core::any::TypeId;
use core::ptr;
use std::alloc::System;

use super::PoolAlloc;
use crate::metadata::Tally;
use crate::thread::nested::{self, FallbackFrame};

impl<A> PoolAlloc<A> {
    /// Runs `f` without the pools: what this thread allocates there through this allocator, the fallback serves, uncounted.
    ///
    /// For what is not to be measured, and for a program's start. The use it was made for is a profiler as the fallback, which allocates
    /// some blocks of its own when it is built and when it writes its results, outside any call of the allocator:
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
    /// Blocks that live in the pools stay there while they fit their slots, and go back there when they are freed; that is counted as ever. A
    /// panic in `f` ends the exception too. Other threads are not concerned, and other allocators serve this thread as ever, only from their
    /// shared slots. Calls may be nested.
    ///
    /// # Coroutines, signal handlers, cancellation
    ///
    /// The exception belongs to the thread on which `f` begins. Coroutines that suspend inside `f` may end in any order. If `f` ends on another
    /// thread than it began on, nothing changes there, and the first thread stays without the pools: what it allocates through this allocator
    /// goes to the fallback, uncounted, and what it allocates through others comes from their shared slots, until the thread ends. The same
    /// happens when `f` never ends: when its stack is dropped without unwinding, or left by `siglongjmp`. Thread cancellation unwinds, so it
    /// ends the exception. A thread that is inside `unpooled` of more than 8 allocators at once is outside all pools meanwhile.
    ///
    /// # Complexity
    ///
    /// Some loads and stores. Inside, a request costs a few more than the fallback's own time.
    pub fn unpooled<R>(&self, f: impl FnOnce() -> R) -> R {
        let _frame = FallbackFrame::enter(self.address());
        f()
    }

    fn address(&self) -> *const () {
        // Of the pools: a fallback that is another `PoolAlloc` may lie at the very start of this one.
        ptr::from_ref(&self.pools).cast()
    }

    /// [`is_in_fallback`](Self::is_in_fallback) for functions that also call the fallback, which may suspend: never inlined into them.
    #[inline(never)]
    pub(super) fn is_in_fallback_now(&self) -> bool {
        self.is_in_fallback()
    }

    /// Whether this thread is inside the fallback, so that what it asks for is the fallback's.
    #[inline]
    pub(super) fn is_in_fallback(&self) -> bool {
        nested::is_inside(self.address())
    }
}

impl<A: GlobalAlloc + 'static> PoolAlloc<A> {
    /// A call of the fallback. What it allocates meanwhile, through this allocator, is its own. It may suspend a coroutine, as `unpooled` may.
    ///
    /// [`System`] does not call back, nor does a [plain](Self::with_plain_fallback) fallback, and neither pays for it.
    #[inline(always)]
    pub(super) fn call_fallback<R>(&self, f: impl FnOnce(&A) -> R) -> R {
        if TypeId::of::<A>() == TypeId::of::<System>() || self.has_plain_fallback {
            f(&self.fallback)
        } else {
            self.call_nesting_fallback(f)
        }
    }

    /// Counted also where the thread is inside already: the coroutine that came first may leave before this one.
    fn call_nesting_fallback<R>(&self, f: impl FnOnce(&A) -> R) -> R {
        self.unpooled(|| f(&self.fallback))
    }

    /// Where this thread counts what it asks of the pools.
    #[inline]
    pub(super) fn tally_unless_in_fallback(&self) -> Option<Tally<'_>> {
        if self.is_in_fallback() { None } else { Some(self.tally()) }
    }

    /// [`tally`](Self::tally) for functions that also call the fallback, which may suspend: never inlined into them.
    #[inline(never)]
    pub(super) fn tally_now(&self) -> Tally<'_> {
        self.tally()
    }

    /// Where this thread counts. For functions that call no fallback afterwards but as their last act.
    #[inline]
    pub(super) fn tally(&self) -> Tally<'_> {
        self.pools.tally(&FallbackSource(self))
    }
}

/// The fallback as a source of memory for the pools themselves.
pub(super) struct FallbackSource<'a, A>(pub(super) &'a PoolAlloc<A>);

// SAFETY: the fallback keeps the contract.
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
