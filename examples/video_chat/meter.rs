//! The example's global allocator. It times and counts every request, and passes it to the allocator that
//! serves now.
//!
//! All runs have it, so it favours none. The time of an empty request is measured at start and subtracted.
//! Each thread counts in its own cell, on its own cache lines, reached through a thread-local that needs no
//! destructor. Threads therefore do not slow each other down. The code in this file that runs inside a
//! request does not allocate, format or panic.

mod sizes;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::{array, hint, ptr};

use sizes::Sizes;
pub(crate) use sizes::{SMALL, Unserved};

use crate::tables;

/// The global allocator: [`tables::serving`], timed and counted.
pub(crate) struct Meter;

/// The cells: one for each thread of the largest run. Later threads share the last cell, which is correct but
/// slower.
static CELLS: [Counters; 256] = [const { Counters::new() }; 256];

/// The number of threads that have asked for a cell.
static OWNED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The thread's index in `CELLS`, or `usize::MAX` before its first request.
    static CELL: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The counters of one thread. Cells are two cache lines apart, because processors fetch lines in pairs.
#[repr(align(128))]
struct Counters {
    calls: AtomicU64,
    nanos: AtomicU64,
    reallocs: AtomicU64,
    served: AtomicU64,
    unserved: Sizes,
}

impl Counters {
    const fn new() -> Self {
        let [calls, nanos, reallocs, served] = [const { AtomicU64::new(0) }; 4];
        Self { calls, nanos, reallocs, served, unserved: Sizes::new() }
    }

    /// Returns the calling thread's counters.
    fn mine() -> &'static Self {
        let mut place = CELL.get();
        if place == usize::MAX {
            place = OWNED.fetch_add(1, Ordering::Relaxed).min(CELLS.len() - 1);
            CELL.set(place);
        }
        &CELLS[place]
    }

    fn add(&self, nanos: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Calls `serve` with the allocator that serves requests now, and times the call.
#[inline]
fn timed<R>(serve: impl FnOnce(&'static dyn GlobalAlloc) -> R) -> R {
    let start = nanos();
    let result = serve(tables::serving());
    let end = nanos();
    Counters::mine().add(end.wrapping_sub(start));
    result
}

/// Times a request of `size` bytes, and counts whether a pool served it. If none did, counts the size too.
#[inline]
fn timed_request(size: usize, serve: impl FnOnce(&'static dyn GlobalAlloc) -> *mut u8) -> *mut u8 {
    let block = timed(serve);
    let counters = Counters::mine();
    if tables::picked().is_some_and(|pool| pool.owns(block)) {
        counters.served.fetch_add(1, Ordering::Relaxed);
    } else {
        counters.unserved.count(size);
    }
    block
}

// SAFETY: every request goes unchanged to the allocator that serves now, and its result goes back unchanged.
// That allocator changes once, from `System` to a pool. A pool passes blocks that it does not own to
// `System`, so each block is freed by the allocator that made it.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `alloc` requires.
        timed_request(layout.size(), |serving| unsafe { serving.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `alloc_zeroed` requires.
        timed_request(layout.size(), |serving| unsafe { serving.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Counters::mine().reallocs.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `realloc` requires; for the allocator of the block,
        // see above.
        timed_request(size, |serving| unsafe { serving.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that `dealloc` requires; for the allocator of the block,
        // see above.
        timed(|serving| unsafe { serving.dealloc(block, layout) });
    }
}

/// Returns the time of the monotonic clock. It is not `Instant`, which may panic.
#[cfg(unix)]
#[inline]
fn nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that the call may write.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Returns the time of the monotonic clock.
#[cfg(windows)]
#[inline]
fn nanos() -> u64 {
    use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

    let (mut count, mut hertz) = (0, 0);
    // SAFETY: the calls may write both numbers.
    unsafe {
        QueryPerformanceCounter(&mut count);
        QueryPerformanceFrequency(&mut hertz);
    }
    (i128::from(count) * 1_000_000_000).checked_div(i128::from(hertz)).unwrap_or(0) as u64
}

/// The counts of all threads until now.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) calls: u64,
    /// The time inside requests, with the clock's own time included.
    pub(crate) nanos: u64,
    /// The requests that no pool served.
    pub(crate) unserved: Unserved,
}

impl Reading {
    /// Reads all cells. The result is exact if no other thread makes requests meanwhile.
    pub(crate) fn now() -> Self {
        let mut reading = Self { calls: 0, nanos: 0, unserved: Unserved::default() };
        for cell in used_cells() {
            reading.calls += cell.calls.load(Ordering::Relaxed);
            reading.nanos += cell.nanos.load(Ordering::Relaxed);
            cell.unserved.read_into(&mut reading.unserved);
        }
        reading
    }

    /// Returns the counts since an earlier reading.
    pub(crate) fn since(self, earlier: &Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            nanos: self.nanos - earlier.nanos,
            unserved: self.unserved.since(&earlier.unserved),
        }
    }
}

/// The requests of all threads, whether a pool served them or not. Unlike a [`Reading`], taking one does not
/// allocate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// The allocations and reallocations that a pool served.
    pub(crate) served: u64,
    /// The allocations and reallocations that no pool served.
    pub(crate) unserved: u64,
    /// The blocks allocated, minus the blocks freed.
    pub(crate) blocks: u64,
}

impl Requests {
    /// Reads all cells. The result is exact if no other thread makes requests meanwhile.
    pub(crate) fn now() -> Self {
        let (mut requests, mut reallocs, mut calls) = (Self::default(), 0, 0);
        for cell in used_cells() {
            requests.served += cell.served.load(Ordering::Relaxed);
            requests.unserved += cell.unserved.total();
            reallocs += cell.reallocs.load(Ordering::Relaxed);
            calls += cell.calls.load(Ordering::Relaxed);
        }
        // A call that is not a request is a free, and a reallocation adds no block.
        let asked = requests.served + requests.unserved;
        requests.blocks = (asked - reallocs).wrapping_sub(calls - asked);
        requests
    }

    /// Returns the counts since an earlier reading. `blocks` is then the change in the number of live blocks.
    pub(crate) fn since(self, earlier: &Self) -> Self {
        Self {
            served: self.served - earlier.served,
            unserved: self.unserved - earlier.unserved,
            blocks: self.blocks.wrapping_sub(earlier.blocks),
        }
    }
}

fn used_cells() -> &'static [Counters] {
    &CELLS[..OWNED.load(Ordering::Relaxed).min(CELLS.len())]
}

/// Returns the nanoseconds of a request that does nothing: the minimum of nine means.
pub(crate) fn empty_request_ns() -> f64 {
    const CALLS: u32 = 10_000;
    let mean = || {
        let before = Counters::mine().nanos.load(Ordering::Relaxed);
        for _ in 0..CALLS {
            timed(|serving| {
                hint::black_box(ptr::from_ref(serving));
            });
        }
        (Counters::mine().nanos.load(Ordering::Relaxed) - before) as f64 / f64::from(CALLS)
    };
    array::from_fn::<f64, 9, _>(|_| mean()).into_iter().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_this_thread_are_counted_and_timed() {
        let before = Counters::mine().calls.load(Ordering::Relaxed);
        drop(hint::black_box(vec![1_u8; 4_321]));
        let after = Counters::mine().calls.load(Ordering::Relaxed);
        assert_eq!(after - before, 2);
        let mut sizes = Unserved::default();
        Counters::mine().unserved.read_into(&mut sizes);
        assert_eq!(sizes.of(4_321), 1);
    }

    #[test]
    fn the_clock_costs_something_but_not_much() {
        let empty = empty_request_ns();
        assert!(empty > 0.0 && empty < 10_000.0, "{empty} ns");
    }
}
