//! What the handles and buffers of a pool share: its slots, and the queues of those who wait for one.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use super::errors::WaitError;
use crate::config::Config;
use crate::lifecycle::registry::Process;
use crate::pools::{Block, Pools};
use crate::slots::class::CLASSES;
use crate::slots::waiters::{WaitRequest, Waiters};
use crate::sync::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire},
};

/// What handles and buffers share.
pub(super) struct Shared {
    pub(super) pools: Pools,
    /// Never null. In the child of a `fork` it is replaced as soon as it is needed: the lock and the waiters of the parent's must not be touched.
    /// Release and Acquire, for what it points to.
    queues: AtomicPtr<WaitQueues>,
}

/// Who waits, in one process.
struct WaitQueues {
    process: Process,
    /// For each class.
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

    /// That of `len` bytes; `None` if there is none, or if they need no memory.
    pub(super) fn layout(len: usize) -> Option<Layout> {
        if len == 0 { None } else { Layout::array::<u8>(len).ok() }
    }

    /// A slot, counted as a hit, or `None`, counted as whatever it is.
    pub(super) fn take(&self, layout: Layout) -> Option<Block> {
        self.pools.take(self.pools.shared_tally(), layout)
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
        // A time that no clock will ever show is none.
        let deadline = Instant::now().checked_add(timeout);
        let order_with_gives = || self.pools.order_with_gives(lane);
        let served = waiters.wait(request, deadline, order_with_gives, |request| self.grant(request));
        served.ok_or_else(|| {
            self.pools.count_exhausted(self.pools.shared_tally(), lane, layout.size());
            WaitError::TimedOut
        })
    }

    /// A slot for whoever waits; not counted as anything if there is none.
    fn grant(&self, WaitRequest { lane, size }: WaitRequest) -> Option<Block> {
        self.pools.take_slot(self.pools.shared_tally(), lane, size)
    }

    /// Hands free slots of a class to those who wait for them.
    #[inline]
    pub(super) fn serve(&self, class: usize) {
        if self.queues().waiters[class].are_there_any() {
            self.own_queues().waiters[class].serve(|request| self.grant(request));
        }
    }

    fn queues(&self) -> &WaitQueues {
        // SAFETY: made of a box, which is freed with this only.
        unsafe { &*self.queues.load(Acquire) }
    }

    /// Those of this process.
    #[cold]
    fn own_queues(&self) -> &WaitQueues {
        let inherited = self.queues();
        if inherited.process == Process::this() {
            return inherited;
        }
        let (old, new) = (ptr::from_ref(inherited).cast_mut(), Box::into_raw(WaitQueues::new()));
        // The parent's are left as they are: its threads' stacks, to which they point, may be other threads' now.
        if self.queues.compare_exchange(old, new, AcqRel, Acquire).is_err() {
            // SAFETY: just made, and no other thread has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
        self.queues()
    }

    /// Whether a block is one of the slots, and so not the global allocator's.
    pub(super) fn has(&self, start: NonNull<u8>) -> bool {
        self.pools.spans(start.as_ptr())
    }

    /// Frees a slot, and wakes who waits for one.
    ///
    /// Aborts if there is no live slot at `start` that has served `layout`.
    ///
    /// # Safety
    ///
    /// Nobody uses the block any more.
    pub(super) unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        let found = self.pools.find(start.as_ptr(), layout);
        let class = self.pools.class(found) as usize;
        // SAFETY: just found; the rest is the caller's contract.
        unsafe { self.pools.give(self.pools.shared_tally(), found) };
        self.serve(class);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: reserved by `new`, out of the same source. Each live block belongs to a buffer or a collection that has a handle, or
        // borrows one, so there are none left, and nobody else can call anything.
        unsafe { self.pools.unmap(&ProgramAllocator) };
        let queues = self.queues.load(Acquire);
        // SAFETY: made of a box, and this is the last handle. The queues of a parent process are leaked.
        unsafe {
            if (*queues).process == Process::this() {
                drop(Box::from_raw(queues));
            }
        }
    }
}

/// The program's global allocator, which is the fallback here.
struct ProgramAllocator;

// SAFETY: passes everything on.
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
