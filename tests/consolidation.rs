//! A program whose large blocks are all pooled, and whose small ones are glibc's: glibc still consolidates its fast bins, which it would
//! otherwise do only when it is asked for a large block.

#![cfg(all(target_os = "linux", target_env = "gnu", not(framepool_os = "none")))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

use framepool::{Bypass, Class, Config, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().floor(Class::Small, 257));

/// Fits a fast bin, which has blocks of up to 128 bytes.
const SMALL: usize = 100;

/// The number of free blocks in the fast bins.
fn in_fast_bins() -> usize {
    // SAFETY: the call takes nothing and only reads.
    unsafe { libc::mallinfo2() }.smblks
}

/// Frees many small blocks at once, more than the thread's cache has room for.
fn fill_fast_bins() {
    let blocks: Vec<Box<[u8; SMALL]>> = (0..100).map(|_| Box::new([1; SMALL])).collect();
    drop(blocks);
}

/// The requests that a program goes on with.
#[derive(Clone, Copy, Debug)]
enum Request {
    Alloc,
    Zeroed,
    Realloc,
}

/// Makes `n` requests that the pools refuse. Their blocks are too large for a fast bin.
fn refused(request: Request, n: usize) {
    let layout = Layout::new::<[u64; 30]>();
    for _ in 0..n {
        // SAFETY: the layout is not empty, and each block is freed with its layout.
        unsafe {
            let block = match request {
                Request::Alloc => ALLOC.alloc(layout),
                Request::Zeroed => ALLOC.alloc_zeroed(layout),
                Request::Realloc => {
                    let block = System.alloc(layout);
                    ALLOC.realloc(block, layout, layout.size() + 8)
                }
            };
            let size = layout.size() + if matches!(request, Request::Realloc) { 8 } else { 0 };
            ALLOC.dealloc(black_box(block), Layout::from_size_align(size, 8).unwrap());
        }
    }
}

/// Makes these requests, and checks that they emptied the fast bins.
fn check(request: Request) {
    fill_fast_bins();
    let (filled, before) = (in_fast_bins(), ALLOC.stats());
    assert!(filled > 50, "{filled} blocks are in fast bins");
    refused(request, 1_100);
    let since = ALLOC.stats().since(&before);
    assert!(since.bypassed(Bypass::BelowFloor) >= 1_100, "{request:?}: every request is refused");
    assert!(
        in_fast_bins() < filled / 2,
        "{request:?}: {} of {filled} blocks are still there",
        in_fast_bins()
    );
}

#[test]
fn small_requests_alone_have_glibc_consolidate_its_fast_bins() {
    fill_fast_bins();
    if in_fast_bins() == 0 {
        eprintln!("this glibc has no fast bins");
        return;
    }
    for request in [Request::Alloc, Request::Zeroed, Request::Realloc] {
        check(request);
        // Inside another allocator the thread has no counters of its own.
        static OTHER: PoolAlloc = PoolAlloc::new();
        OTHER.unpooled(|| check(request));
    }
}
