//! The example's global allocator: times and counts every request, whoever serves it.
//!
//! All runs have it, so it favours none; what an empty request takes is measured at start and subtracted. Each thread
//! counts in a cell of its own on cache lines of its own, reached through a thread-local that needs no destructor, so
//! threads do not slow each other down. In here nothing allocates, formats or panics.

mod sizes;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::{array, hint, ptr};

use sizes::Sizes;
pub(crate) use sizes::{SMALL, Unserved};

use crate::tables;

/// The global allocator: [`tables::serving`], metered.
pub(crate) struct Meter;

/// One for each thread that the largest run has; later threads share the last, correctly but slower.
static CELLS: [Counters; 256] = [const { Counters::new() }; 256];

/// Cells that have an owner.
static OWNED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The thread's place in `CELLS`, or `usize::MAX` before its first request.
    static CELL: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// What one thread did. Two cache lines apart, because processors fetch them in pairs.
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

    /// This thread's counters.
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

/// Calls `serve` on whoever serves requests now, on the clock.
#[inline]
fn timed<R>(serve: impl FnOnce(&'static dyn GlobalAlloc) -> R) -> R {
    let start = nanos();
    let result = serve(tables::serving());
    let end = nanos();
    Counters::mine().add(end.wrapping_sub(start));
    result
}

/// The same for a request of `size` bytes; counts whether a pool served it, and remembers the size if none did.
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

// SAFETY: every request goes unchanged to the allocator that serves now, and its answer back. That changes once, from
// `System` to a pool, and a pool hands blocks that it does not own to `System`, so each block is freed by its maker.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `alloc` asks for.
        timed_request(layout.size(), |serving| unsafe { serving.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `alloc_zeroed` asks for.
        timed_request(layout.size(), |serving| unsafe { serving.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Counters::mine().reallocs.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `realloc` asks for; see above for who made the block.
        timed_request(size, |serving| unsafe { serving.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that `dealloc` asks for; see above for who made the block.
        timed(|serving| unsafe { serving.dealloc(block, layout) });
    }
}

/// The monotonic clock. Not `Instant`, which may panic.
#[inline]
fn nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that the call may write.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// What all threads did until now.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) calls: u64,
    /// Time inside requests, the clock's own time included.
    pub(crate) nanos: u64,
    /// The requests that no pool served.
    pub(crate) unserved: Unserved,
}

impl Reading {
    /// Reads all cells; exact once other threads are quiet.
    pub(crate) fn now() -> Self {
        let mut reading = Self { calls: 0, nanos: 0, unserved: Unserved::default() };
        for cell in used_cells() {
            reading.calls += cell.calls.load(Ordering::Relaxed);
            reading.nanos += cell.nanos.load(Ordering::Relaxed);
            cell.unserved.read_into(&mut reading.unserved);
        }
        reading
    }

    /// What was done since an earlier reading.
    pub(crate) fn since(self, earlier: &Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            nanos: self.nanos - earlier.nanos,
            unserved: self.unserved.since(&earlier.unserved),
        }
    }
}

/// How often what was asked for, by all threads, whoever served it. Unlike a [`Reading`], taking one allocates nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// Allocations and reallocations that a pool served.
    pub(crate) served: u64,
    /// Those that none did.
    pub(crate) unserved: u64,
    /// Blocks allocated less blocks freed.
    pub(crate) blocks: u64,
}

impl Requests {
    /// Reads all cells; exact once other threads are quiet.
    pub(crate) fn now() -> Self {
        let (mut requests, mut reallocs, mut calls) = (Self::default(), 0, 0);
        for cell in used_cells() {
            requests.served += cell.served.load(Ordering::Relaxed);
            requests.unserved += cell.unserved.total();
            reallocs += cell.reallocs.load(Ordering::Relaxed);
            calls += cell.calls.load(Ordering::Relaxed);
        }
        // Whatever is no request is a free; and a reallocation makes no block more.
        let asked = requests.served + requests.unserved;
        requests.blocks = (asked - reallocs).wrapping_sub(calls - asked);
        requests
    }

    /// What was done since an earlier reading; its blocks those that live longer than it.
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

/// Nanoseconds that a request takes on the clock if it does nothing: the best of several means.
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
