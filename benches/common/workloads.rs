//! What is measured: each workload once, as a plain timing loop that the criterion suite and the table both call.
//!
//! A workload is a batch of blocks, `HELD` of them allocated and then freed, oldest first, as a queue of frames is. With
//! one block held, the allocator gets the block back that it just gave; with 16, it must find 16. `WRITTEN` batches write
//! each block through once, right after its allocation and on that clock, because that is when the memory must really
//! be there. Every loop runs one batch before its clock starts, and returns the time of all its rounds for one block.

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use super::at_once;
use super::contestants::Allocator;

/// A timing loop: so many rounds on that allocator with that layout, which must not be empty.
pub(crate) type Workload = fn(&Allocator, Layout, u64) -> Duration;

/// Every workload and its name.
pub(crate) const WORKLOADS: [(&str, Workload); 11] = [
    ("warm/alloc", alloc::<1, false>),
    ("warm/free", free::<1, false>),
    ("warm/pair", pair::<1, false>),
    ("burst16/untouched/alloc", alloc::<16, false>),
    ("burst16/untouched/free", free::<16, false>),
    ("burst16/untouched/pair", pair::<16, false>),
    ("burst16/written/alloc", alloc::<16, true>),
    ("burst16/written/free", free::<16, true>),
    ("burst16/written/pair", pair::<16, true>),
    ("two_threads/pair", two_threads::<1>),
    ("two_threads/burst16", two_threads::<16>),
];

/// Allocation and free together: two readings of the clock in all.
fn pair<const HELD: usize, const WRITTEN: bool>(
    allocator: &Allocator,
    layout: Layout,
    rounds: u64,
) -> Duration {
    let mut batch = Batch::<HELD, WRITTEN>::new(allocator, layout);
    batch.alloc();
    batch.free();
    let start = Instant::now();
    for _ in 0..rounds {
        batch.alloc();
        batch.free();
    }
    start.elapsed() / HELD as u32
}

/// Allocation alone.
fn alloc<const HELD: usize, const WRITTEN: bool>(
    allocator: &Allocator,
    layout: Layout,
    rounds: u64,
) -> Duration {
    apart::<HELD, WRITTEN>(allocator, layout, rounds).0
}

/// Free alone.
fn free<const HELD: usize, const WRITTEN: bool>(
    allocator: &Allocator,
    layout: Layout,
    rounds: u64,
) -> Duration {
    apart::<HELD, WRITTEN>(allocator, layout, rounds).1
}

/// Allocation and free of the same rounds, each on its own clock.
///
/// A reading of the clock costs more than a pooled allocation, so every round times an empty stretch too and takes it
/// off. A reading also waits for what came before it, and its own time lets stores settle, so the sum of the two is not
/// the pair's time, but some nanoseconds to either side.
fn apart<const HELD: usize, const WRITTEN: bool>(
    allocator: &Allocator,
    layout: Layout,
    rounds: u64,
) -> (Duration, Duration) {
    // An interrupt in the empty stretch must not be taken off the work, and no reading takes this long without one.
    const LONGEST_READING: Duration = Duration::from_micros(1);

    let mut batch = Batch::<HELD, WRITTEN>::new(allocator, layout);
    batch.alloc();
    batch.free();
    let (mut reading, mut allocating, mut freeing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        let before = Instant::now();
        let start = Instant::now();
        batch.alloc();
        let held = Instant::now();
        batch.free();
        let end = Instant::now();
        reading += (start - before).min(LONGEST_READING);
        allocating += held - start;
        freeing += end - held;
    }
    // Never zero: neither criterion nor a ratio can take it.
    let net = |gross: Duration| (gross.saturating_sub(reading) / HELD as u32).max(Duration::from_nanos(1));
    (net(allocating), net(freeing))
}

/// Two threads at once, each with batches of its own from the same class; the longer of the two times.
fn two_threads<const HELD: usize>(allocator: &Allocator, layout: Layout, rounds: u64) -> Duration {
    at_once::longest_of(2, rounds, |rounds| pair::<HELD, false>(allocator, layout, rounds))
}

/// `HELD` places for blocks, and the allocator they come from and go back to.
struct Batch<'a, const HELD: usize, const WRITTEN: bool> {
    allocator: &'a Allocator,
    layout: Layout,
    blocks: [*mut u8; HELD],
}

impl<'a, const HELD: usize, const WRITTEN: bool> Batch<'a, HELD, WRITTEN> {
    fn new(allocator: &'a Allocator, layout: Layout) -> Self {
        assert!(layout.size() > 0, "an allocator may not be asked for nothing");
        // The compiler must not learn which allocator this is, or it would call that one directly.
        Self { allocator: black_box(allocator), layout, blocks: [null_mut(); HELD] }
    }

    /// Fills all places. The blocks that were there must have been freed: they are forgotten.
    #[inline(always)]
    fn alloc(&mut self) {
        for place in &mut self.blocks {
            // SAFETY: `new` checked that the layout is not empty.
            let block = unsafe { self.allocator.alloc(self.layout) };
            assert!(!block.is_null(), "out of memory for {} bytes", self.layout.size());
            if WRITTEN {
                // SAFETY: the block was just allocated with this size.
                unsafe { block.write_bytes(0xA5, self.layout.size()) };
            }
            *place = black_box(block);
        }
    }

    /// Frees what `alloc` filled; to be called once after each.
    #[inline(always)]
    fn free(&mut self) {
        for place in &self.blocks {
            // SAFETY: this module calls `alloc` and `free` in turns, so each block came from this allocator with this
            // layout and is freed once.
            unsafe { self.allocator.dealloc(black_box(*place), self.layout) };
        }
    }
}
