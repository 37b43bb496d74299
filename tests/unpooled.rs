//! `unpooled`, and calls that come back from a fallback which allocates for itself. In both, the fallback
//! serves every request, and none is counted.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(unix)]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use common::{Block, layout};
use framepool::{Class, Config, PoolAlloc};

const FRAME: usize = 1_382_400;

#[test]
fn what_is_asked_for_inside_is_the_fallbacks_and_uncounted() {
    static POOL: PoolAlloc = PoolAlloc::new();
    Block::take(&POOL, layout(FRAME, 8), 0).give();
    let before = POOL.stats();
    let visit = |size, id| {
        POOL.unpooled(|| {
            let block = Block::take(&POOL, layout(size, 8), id).resize(size * 2).resize(size);
            assert!(!POOL.owns(block.start));
            block.give();
            // SAFETY: not empty, and given back with its layout.
            unsafe {
                let zeroed = POOL.alloc_zeroed(layout(size, 8));
                assert!(!zeroed.is_null() && !POOL.owns(zeroed));
                POOL.dealloc(zeroed, layout(size, 8));
            }
        });
    };
    [24, 60_000, 1_000_000].into_iter().zip(1..).for_each(|(size, id)| visit(size, id));
    assert_eq!(POOL.stats(), before);
    // Only how many blocks above every slot live at once is counted.
    visit(3 << 20, 5);
    assert_ne!(POOL.stats(), before);
    assert_eq!((POOL.stats().to_string(), POOL.stats().fallbacks()), (before.to_string(), 0));
    let block = Block::take(&POOL, layout(FRAME, 8), 4);
    assert!(POOL.owns(block.start), "the exception is over");
    block.give();
}

#[test]
fn a_block_of_the_pools_stays_while_it_fits_its_slot_and_goes_back_there() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let blocks = [1, 2, 3].map(|id| Block::take(&POOL, layout(FRAME, 8), id));
    let in_use = || POOL.stats().class(Class::XLarge).in_use;
    assert_eq!(in_use(), 3);
    let [freed, resized, outgrown] = blocks;
    let outgrown = POOL.unpooled(|| {
        freed.give();
        assert_eq!(in_use(), 2);
        let start = resized.start;
        // A shrink does not move it to another class, either.
        let resized = resized.resize(FRAME + 1).resize(100);
        assert_eq!(resized.start, start);
        resized.give();
        let outgrown = outgrown.resize(3 << 20);
        assert!(!POOL.owns(outgrown.start));
        assert_eq!(in_use(), 0);
        outgrown
    });
    let stats = POOL.stats();
    assert_eq!((stats.hits(), stats.returns(), stats.reallocs_in_place(), stats.fallbacks()), (3, 3, 2, 0));
    outgrown.give();
}

#[test]
fn a_panic_ends_it_and_an_inner_one_ends_by_itself() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let is_pooled = || {
        let block = Block::take(&POOL, layout(FRAME, 8), 1);
        let is_pooled = POOL.owns(block.start);
        block.give();
        is_pooled
    };
    assert!(is_pooled());
    assert!(
        catch_unwind(AssertUnwindSafe(|| POOL.unpooled(|| std::panic::resume_unwind(Box::new(()))))).is_err()
    );
    assert!(is_pooled());
    POOL.unpooled(|| {
        POOL.unpooled(|| assert!(!is_pooled()));
        assert!(!is_pooled());
    });
    assert!(is_pooled());
}

#[test]
fn other_threads_and_other_allocators_are_not_concerned() {
    static POOL: PoolAlloc = PoolAlloc::new();
    static OTHER: PoolAlloc = PoolAlloc::new();
    let is_pooled = |pool: &'static PoolAlloc| {
        let block = Block::take(pool, layout(FRAME, 8), 1);
        let is_pooled = pool.owns(block.start);
        block.give();
        is_pooled
    };
    POOL.unpooled(|| {
        assert!(!is_pooled(&POOL) && is_pooled(&OTHER));
        OTHER.unpooled(|| assert!(!is_pooled(&POOL) && !is_pooled(&OTHER)));
        assert!(!is_pooled(&POOL) && is_pooled(&OTHER));
        std::thread::scope(|scope| assert!(scope.spawn(|| is_pooled(&POOL)).join().unwrap()));
    });
}

#[test]
fn it_may_be_the_first_thing_that_a_thread_does_with_an_allocator() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let block = POOL.unpooled(|| Block::take(&POOL, layout(FRAME, 8), 1));
    assert!(!POOL.owns(block.start));
    let grown = block.resize(FRAME + 8);
    assert!(POOL.owns(grown.start), "reserved by now, and it grew");
    grown.give();
    assert_eq!(POOL.stats().hits(), 1);
}

/// A fallback that asks the outermost allocator for a block of its own in each call, as a profiler does.
struct Chatty;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// Allocates, grows and frees a block of its own, and then calls `f`. If the call is about that block, it
/// only calls `f`.
fn chat<R>(f: impl FnOnce() -> R) -> R {
    thread_local!(static IS_INSIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    if IS_INSIDE.get() {
        return f();
    }
    IS_INSIDE.set(true);
    CALLS.fetch_add(1, Relaxed);
    let mut own = layout(1_000, 8);
    // SAFETY: not empty, live until it is freed with its layout, and grown once.
    unsafe {
        let start = OUTER.alloc(own);
        let start = OUTER.realloc(start, own, 2_000);
        own = layout(2_000, 8);
        OUTER.dealloc(start, own);
    }
    let result = f();
    IS_INSIDE.set(false);
    result
}

// SAFETY: `System` keeps the contract.
unsafe impl GlobalAlloc for Chatty {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        chat(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        chat(|| unsafe { System.dealloc(ptr, layout) });
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        chat(|| unsafe { System.realloc(ptr, layout, new_size) })
    }
}

/// Two allocators, one as the fallback of the other. The outer one has slots of up to 2 MiB, the inner one of
/// up to 4 MiB.
static OUTER: PoolAlloc<PoolAlloc<Chatty>> = PoolAlloc::with_fallback(INNER, Config::new());
#[allow(clippy::declare_interior_mutable_const, reason = "only ever moved into `OUTER`")]
const INNER: PoolAlloc<Chatty> = PoolAlloc::with_fallback(Chatty, WIDE);
const WIDE: Config = Config::new().class(Class::XLarge, 4 << 20, 4);

#[test]
fn what_a_fallback_asks_for_is_its_own_however_far_out_it_asks() {
    let block = |size| Block::take(&OUTER, layout(size, 8), size as u64);
    // Both allocators reserve their pools. On systems without `mmap`, they ask their fallback for the memory.
    block(3 << 20).give();
    let (calls, stats) = (CALLS.load(Relaxed), OUTER.stats());
    let calls = || CALLS.load(Relaxed) - calls;
    // Neither has slots of this size, so `Chatty` serves it. Its own block comes back through both.
    block(8 << 20).resize(9 << 20).give();
    assert_eq!(calls(), 3);
    // The inner one serves the block of 3 MiB, and the outer one the frame.
    block(3 << 20).give();
    let frame = block(FRAME);
    assert!(OUTER.owns(frame.start));
    frame.give();
    assert_eq!(calls(), 3);
    let stats = OUTER.stats().since(&stats);
    assert_eq!((stats.hits(), stats.fallbacks()), (1, 3), "{stats}");
}

/// A fallback that raises a signal inside one call if `RAISES` is set.
#[cfg(unix)]
struct Interrupted;

#[cfg(unix)]
static RAISES: AtomicBool = AtomicBool::new(false);
#[cfg(unix)]
static CALLS_OF_INTERRUPTED: AtomicU64 = AtomicU64::new(0);

// SAFETY: `System` keeps the contract.
#[cfg(unix)]
unsafe impl GlobalAlloc for Interrupted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS_OF_INTERRUPTED.fetch_add(1, Relaxed);
        if RAISES.swap(false, Relaxed) {
            // SAFETY: the signal has a handler.
            unsafe { libc::raise(libc::SIGUSR2) };
        }
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) };
    }
}

#[cfg(unix)]
static NOTED: PoolAlloc<Interrupted> = PoolAlloc::with_fallback(Interrupted, Config::new());
#[cfg(unix)]
static PLAIN: PoolAlloc<Interrupted> = PoolAlloc::with_plain_fallback(Interrupted, Config::new());

/// The two constructors differ in how they serve a request that comes during a call into the fallback. Such a
/// request may be the fallback's own or a handler's, and cannot be told apart.
#[cfg(unix)]
#[test]
fn a_handler_that_interrupts_a_plain_fallback_is_served_from_the_pools() {
    static POOLED: AtomicU64 = AtomicU64::new(0);
    extern "C" fn handler(_: libc::c_int) {
        let is_pooled = |pool: &PoolAlloc<Interrupted>| {
            // SAFETY: not empty; freed as it was allocated.
            unsafe {
                let start = pool.alloc(layout(1_000, 8));
                pool.dealloc(start, layout(1_000, 8));
                u64::from(pool.owns(start))
            }
        };
        POOLED.store(10 * is_pooled(&NOTED) + is_pooled(&PLAIN), Relaxed);
    }
    // SAFETY: the handler only does what the pools allow in a signal handler.
    unsafe { libc::signal(libc::SIGUSR2, handler as extern "C" fn(_) as usize) };
    // Without `mmap`, pools are reserved through the fallback.
    [&NOTED, &PLAIN].into_iter().for_each(|pool| Block::take(pool, layout(1_000, 8), 1).give());
    for (pool, pooled) in [(&NOTED, 1), (&PLAIN, 11)] {
        let (before, calls) = (pool.stats(), CALLS_OF_INTERRUPTED.load(Relaxed));
        RAISES.store(true, Relaxed);
        Block::take(pool, layout(3 << 20, 8), 2).give();
        assert_eq!(POOLED.load(Relaxed), pooled);
        let counted = pool.stats().since(&before);
        assert_eq!((counted.hits(), counted.fallbacks()), (pooled / 10, 1), "{counted}");
        assert_eq!(CALLS_OF_INTERRUPTED.load(Relaxed) - calls, 2 - pooled / 10);
    }
}
