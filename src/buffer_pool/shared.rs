//! The slots that the handles and buffers of a pool share, and the queues of the threads that wait for one.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use super::errors::WaitError;
use crate::config::Config;
use crate::lifecycle::registry::Process;
use crate::pools::{Block, Pools};
use crate::slots::class::CLASSES;
use crate::slots::waiters::{WaitRequest, Waiters};
use crate::stats::counters::FallbackReason;
use crate::sync::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire},
};

/// The shared part of a pool's handles and buffers.
pub(super) struct Shared {
    pub(super) pools: Pools,
    /// Never null. In the child of a `fork` it is replaced on first use, because the parent's lock and
    /// waiters must not be touched. Release and Acquire publish the queues that it points to.
    queues: AtomicPtr<WaitQueues>,
}

/// The waiting threads of one process.
struct WaitQueues {
    process: Process,
    /// A FIFO queue for each class.
    waiters: [Waiters<Block>; CLASSES],
}

impl WaitQueues {
    fn new() -> Box<Self> {
        Box::new(Self { process: Process::this(), waiters: core::array::from_fn(|_| Waiters::new()) })
    }
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        let pools = Pools::of_a_value(&config.without_default_hold_backs());
        pools.reserve(&ProgramAllocator);
        Self { pools, queues: AtomicPtr::new(Box::into_raw(WaitQueues::new())) }
    }

    /// Returns the layout of `len` bytes; `None` if there is none, or if `len` is 0.
    pub(super) fn layout(len: usize) -> Option<Layout> {
        if len == 0 { None } else { Layout::array::<u8>(len).ok() }
    }

    /// Takes a slot, which counts as a hit. Returns the reason, uncounted, if there is none.
    pub(super) fn take(&self, layout: Layout) -> Result<Block, FallbackReason> {
        self.pools.take(self.pools.shared_tally(), layout)
    }

    /// Counts a request that no slot serves, and that got memory of the global allocator or none. Nothing is
    /// counted without a reason.
    pub(super) fn count_fallback(&self, reason: Option<FallbackReason>, size: usize, is_served: bool) {
        if let Some(reason) = reason {
            self.pools.count_fallback(self.pools.shared_tally(), reason, size, is_served);
        }
    }

    pub(super) fn count_zeroed(&self, block: &Block) {
        self.pools.shared_tally().zeroed(block.is_clean);
    }

    pub(super) fn wait(&self, layout: Layout, timeout: Duration) -> Result<Block, WaitError> {
        let lane = self.pools.lane_to_wait_for(layout).ok_or(WaitError::NeverPooled)?;
        let request = WaitRequest { lane, size: layout.size() };
        if !self.queues().waiters[lane.class()].are_there_any()
            && let Some(block) = self.grant(request)
        {
            return Ok(block);
        }
        let waiters = &self.own_queues().waiters[lane.class()];
        // If the clock cannot represent the sum, there is no deadline.
        let deadline = Instant::now().checked_add(timeout);
        let order_with_gives = || self.pools.order_with_gives(lane);
        let served = waiters.wait(request, deadline, order_with_gives, |request| self.grant(request));
        served.ok_or_else(|| {
            self.count_fallback(Some(self.pools.note_exhausted(lane)), layout.size(), false);
            WaitError::TimedOut
        })
    }

    /// Takes a slot for a waiting thread. `None` is not counted.
    fn grant(&self, WaitRequest { lane, size }: WaitRequest) -> Option<Block> {
        self.pools.take_slot(self.pools.shared_tally(), lane, size)
    }

    /// Hands free slots of a class to the threads that wait for them.
    #[inline]
    pub(super) fn serve(&self, class: usize) {
        if self.queues().waiters[class].are_there_any() {
            self.own_queues().waiters[class].serve(|request| self.grant(request));
        }
    }

    fn queues(&self) -> &WaitQueues {
        // SAFETY: the pointer was made of a box. That box is freed only with this value, or never, if it was
        // replaced.
        unsafe { &*self.queues.load(Acquire) }
    }

    /// Returns the queues of this process.
    #[cold]
    fn own_queues(&self) -> &WaitQueues {
        let inherited = self.queues();
        if inherited.process == Process::this() {
            return inherited;
        }
        let (old, new) = (ptr::from_ref(inherited).cast_mut(), Box::into_raw(WaitQueues::new()));
        // The parent's queues stay as they are. They point to the stacks of its threads, which may be other
        // threads' stacks now.
        if self.queues.compare_exchange(old, new, AcqRel, Acquire).is_err() {
            // SAFETY: the pointer was just made of a box, and no other thread has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
        self.queues()
    }

    /// Whether a block is one of the slots. Otherwise it is the global allocator's.
    pub(super) fn has(&self, start: NonNull<u8>) -> bool {
        self.pools.spans(start.as_ptr())
    }

    /// Frees a slot, and hands free slots of its class to the threads that wait for them.
    ///
    /// Aborts if there is no live slot at `start` that can have served `layout`.
    ///
    /// # Safety
    ///
    /// No thread uses the block any more.
    pub(super) unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        let found = self.pools.find(start.as_ptr(), layout);
        let class = self.pools.class(found) as usize;
        // SAFETY: the slot was just found; the rest is the caller's contract.
        unsafe { self.pools.give(self.pools.shared_tally(), found) };
        self.serve(class);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: `new` reserved the pools from the same source. Each live block belongs to a buffer or a
        // collection that has a handle, or borrows one. So none is left, and no other thread can call this
        // value.
        unsafe { self.pools.unmap(&ProgramAllocator) };
        let queues = self.queues.load(Acquire);
        // SAFETY: the pointer was made of a box, and this is the last handle. The queues of a parent process
        // are leaked.
        unsafe {
            if (*queues).process == Process::this() {
                drop(Box::from_raw(queues));
            }
        }
    }
}

/// The program's global allocator, which is the fallback here.
struct ProgramAllocator;

// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for ProgramAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { std::alloc::alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { std::alloc::dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { std::alloc::alloc_zeroed(layout) }
    }
}
