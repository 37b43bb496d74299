//! A reference to the pools as an allocator of its own, inside another one; and the questions that a wrapper asks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use framepool::{Class, Config, PoolAlloc};

/// An allocator of a program that counts its calls, and passes them on to any other.
struct Counting<A>(A);

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { self.0.dealloc(ptr, layout) }
    }
}

const CONFIG: Config = Config::new().class(Class::XLarge, 3_112_960, 14);

static POOL: PoolAlloc<Counting<System>> = PoolAlloc::with_fallback(Counting(System), CONFIG);

#[global_allocator]
static ALLOC: Counting<&PoolAlloc<Counting<System>>> = Counting(&POOL);

#[test]
fn a_wrapper_around_a_reference_gets_the_same_slots() {
    let before = (POOL.stats().hits(), CALLS.load(Relaxed));
    let mut frame = vec![7_u8; 1920 * 1080 * 3 / 2];
    assert!(POOL.owns(frame.as_ptr()) && POOL.is_installed());
    assert!(POOL.stats().hits() > before.0 && CALLS.load(Relaxed) > before.1);
    frame.resize(3_112_960, 8);
    frame.shrink_to(2_000_000);
    assert!(frame[..1000].iter().all(|&byte| byte == 7) && POOL.owns(frame.as_ptr()));
    assert!(vec![0_u64; 50_000].iter().all(|&number| number == 0));
}

#[test]
fn its_configuration_its_fallback_and_its_switch_can_be_asked_for() {
    static OTHER: PoolAlloc<Counting<System>> = PoolAlloc::with_fallback(Counting(System), CONFIG);
    assert_eq!(OTHER.config(), CONFIG);
    let calls = CALLS.load(Relaxed);
    let layout = Layout::new::<u64>();
    // SAFETY: not empty, and freed with its layout.
    unsafe {
        let block = OTHER.fallback().alloc(layout);
        OTHER.fallback().dealloc(block, layout);
    }
    assert!(CALLS.load(Relaxed) > calls);
    assert!(OTHER.is_enabled());
    OTHER.set_enabled(false);
    assert!(!OTHER.is_enabled());
}

#[test]
fn the_classes_come_with_their_statistics() {
    let frame = vec![1_u8; 2 << 20];
    let stats = POOL.stats();
    assert!(stats.classes().eq(Class::ALL.into_iter().map(|class| (class, stats.class(class)))));
    assert_eq!(stats.classes().len(), 4);
    let xlarge = stats.class(Class::XLarge);
    assert_eq!(xlarge.in_use_bytes(), xlarge.in_use * 3_112_960);
    assert!(xlarge.in_use_bytes() > 0);
    drop(frame);
}
