//! A program whose large blocks are all pooled, and whose small ones are glibc's: glibc still consolidates its fast bins, for which it would
//! otherwise wait for a large request. If the pools have taken none, nothing is different from `System`.

#![cfg(all(target_os = "linux", target_env = "gnu", not(framepool_os = "none")))]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::hint::black_box;

use framepool::{Bypass, Class, Config, PoolAlloc};

const CONFIG: Config = Config::new()
    .env(false)
    .class(Class::Small, 1_024, 2)
    .floor(Class::Small, 257)
    .hold_back(Class::Small, 0, 0);

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::with_config(CONFIG);

/// Fits a fast bin, which has blocks of up to 16 words.
const SMALL: usize = 12 * size_of::<usize>();

/// The number of free blocks in the fast bins. `None` if this glibc cannot tell: before 2.33.
fn in_fast_bins() -> Option<usize> {
    // SAFETY: a valid name.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallinfo2".as_ptr()) };
    // SAFETY: null, or the function of that name, which takes nothing and only reads.
    unsafe {
        let mallinfo2: Option<unsafe extern "C" fn() -> libc::mallinfo2> = std::mem::transmute(found);
        mallinfo2.map(|mallinfo2| mallinfo2().smblks)
    }
}

/// Frees many small blocks at once, more than the thread's cache has room for, and returns how many are in fast bins then.
fn fill_fast_bins() -> usize {
    let blocks: Vec<Box<[u8; SMALL]>> = (0..100).map(|_| Box::new([1; SMALL])).collect();
    drop(blocks);
    in_fast_bins().unwrap_or(0)
}

/// The requests that a program goes on with, all of which the pools refuse.
#[derive(Clone, Copy, Debug)]
enum Request {
    Alloc,
    Zeroed,
    Exhausted,
    Realloc,
    ReallocExhausted,
}

impl Request {
    const ALL: [Self; 5] =
        [Self::Alloc, Self::Zeroed, Self::Exhausted, Self::Realloc, Self::ReallocExhausted];

    /// The reason why the pools refuse it.
    fn is_refused(self, allocator: &PoolAlloc<impl GlobalAlloc + 'static>) -> u64 {
        let stats = allocator.stats();
        match self {
            Self::Exhausted | Self::ReallocExhausted => stats.class(Class::Small).misses,
            _ => stats.bypassed(Bypass::BelowFloor) + stats.bypassed(Bypass::Disabled),
        }
    }

    /// Makes the request, of a block that is too large for a fast bin, and frees the block.
    fn make(self, allocator: &PoolAlloc<impl GlobalAlloc + 'static>) {
        let layout = |bytes| Layout::from_size_align(bytes, 8).unwrap();
        // SAFETY: no layout is empty, and each block is freed with its layout.
        unsafe {
            let (block, layout) = match self {
                Self::Alloc => (allocator.alloc(layout(240)), layout(240)),
                Self::Zeroed => (allocator.alloc_zeroed(layout(240)), layout(240)),
                Self::Exhausted => (allocator.alloc(layout(400)), layout(400)),
                Self::Realloc => {
                    let block = System.alloc(layout(200));
                    (allocator.realloc(block, layout(200), 240), layout(240))
                }
                Self::ReallocExhausted => {
                    let block = System.alloc(layout(200));
                    (allocator.realloc(block, layout(200), 400), layout(400))
                }
            };
            allocator.dealloc(black_box(block), layout);
        }
    }
}

/// Takes a slot that is larger than what makes glibc consolidate, and gives it back.
fn take_large_slot(allocator: &PoolAlloc<impl GlobalAlloc + 'static>) {
    let layout = Layout::from_size_align(100_000, 8).unwrap();
    // SAFETY: the layout is not empty, and the block is freed with it.
    unsafe {
        let block = allocator.alloc(layout);
        assert!(!allocator.is_enabled() || allocator.owns(block));
        allocator.dealloc(black_box(block), layout);
    }
}

/// Leaves free blocks in the heap whose neighbours are live. `calloc` of some glibcs passes by the thread's cache. A block that it took
/// elsewhere would join the heap's largest free block when it is freed, and that makes glibc consolidate too.
fn leave_lonely_blocks() {
    let (lonely, neighbours): (Vec<_>, Vec<_>) =
        (0..40).map(|_| (Box::new([1_u8; 240]), Box::new([1_u8; 240]))).unzip();
    drop(lonely);
    std::mem::forget(neighbours);
}

/// Makes these requests often enough, and returns whether they emptied the fast bins.
fn consolidates(request: Request, allocator: &PoolAlloc<impl GlobalAlloc + 'static>) -> bool {
    let filled = fill_fast_bins();
    assert!(filled > 50, "{filled} blocks are in fast bins");
    let before = request.is_refused(allocator);
    (0..1_100).for_each(|_| request.make(allocator));
    assert!(request.is_refused(allocator) - before >= 1_100, "{request:?}: every request is refused");
    let left = in_fast_bins().expect("it could tell before");
    assert!(left < filled / 2 || left + 20 > filled, "{request:?}: {left} of {filled} are left");
    left < filled / 2
}

/// Calls `f` while both slots of Small are taken.
fn with_small_taken<R>(allocator: &PoolAlloc<impl GlobalAlloc + 'static>, f: impl FnOnce() -> R) -> R {
    let layout = Layout::from_size_align(1_000, 8).unwrap();
    // SAFETY: the layout is not empty, and the blocks are freed with it.
    let blocks = [(); 3].map(|()| unsafe { allocator.alloc(layout) });
    let result = f();
    // SAFETY: as above.
    blocks.into_iter().for_each(|block| unsafe { allocator.dealloc(block, layout) });
    result
}

/// Whether this process's glibc has fast bins, and counts them.
fn has_fast_bins() -> bool {
    let is_tuned = env::var_os("GLIBC_TUNABLES").is_some_and(|tunables| tunables != TUNABLES);
    let has = fill_fast_bins() > 0;
    if !has || is_tuned {
        eprintln!("skipped: this glibc has no fast bins, does not count them, or is tuned");
    }
    has && !is_tuned
}

#[test]
fn glibc_consolidates_its_fast_bins_although_the_pools_take_the_large_requests() {
    // In a process of its own: the bins are the process's, and another thread of this one would change what is in them.
    let test = glibc_consolidates_its_fast_bins_although_the_pools_take_the_large_requests;
    if !common::is_in_child(test) || !has_fast_bins() {
        return;
    }
    let check = |request| {
        take_large_slot(&ALLOC);
        assert!(consolidates(request, &ALLOC), "{request:?}");
        assert!(!consolidates(request, &ALLOC), "{request:?}: no large slot was taken meanwhile");
    };
    leave_lonely_blocks();
    with_small_taken(&ALLOC, || {
        for request in Request::ALL {
            check(request);
            // Inside another allocator the thread has no counters of its own.
            static OTHER: PoolAlloc = PoolAlloc::new();
            OTHER.unpooled(|| check(request));
        }
        ALLOC.set_enabled(false);
        take_large_slot(&ALLOC);
        assert!(!consolidates(Request::Alloc, &ALLOC), "glibc has the large requests itself");
        ALLOC.set_enabled(true);
    });
}

/// A fallback that is not `System`, although it asks `System` for its memory.
struct Fallback;

// SAFETY: it is `System`.
unsafe impl GlobalAlloc for Fallback {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[test]
fn another_fallback_is_left_alone() {
    if !common::is_in_child(another_fallback_is_left_alone) || !has_fast_bins() {
        return;
    }
    static OTHER: PoolAlloc<Fallback> = PoolAlloc::with_plain_fallback(Fallback, CONFIG);
    take_large_slot(&OTHER);
    assert!(!consolidates(Request::Alloc, &OTHER));
}

/// Threads' caches answer requests of up to 2,000 bytes. Before glibc 2.42 this has no effect.
const TUNABLES: &str = "glibc.malloc.tcache_max=2000";

#[test]
fn glibc_consolidates_its_fast_bins_although_threads_cache_larger_blocks() {
    let test = glibc_consolidates_its_fast_bins_although_the_pools_take_the_large_requests;
    let mut command = common::child(test, "");
    command.env("GLIBC_TUNABLES", TUNABLES);
    common::run_to_success(command);
}
