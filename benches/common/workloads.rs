//! The workloads: each is a plain timing loop, called both by the criterion suite and by the table.
//!
//! A workload runs batches of blocks: it allocates `HELD` of them and then frees them, oldest first, as a
//! queue of frames does. With one block held, the allocator reuses the block that it got back last; with 16,
//! it must find 16. `WRITTEN` batches write each block through once, right after its allocation and on that
//! clock, because that is when the memory must really be there. Every loop runs one batch before its clock
//! starts, and returns the time of all its rounds for one block.

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use super::at_once;
use super::contestants::Allocator;

/// A timing loop: runs that many rounds on that allocator with that layout, which must not be empty.
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

/// Times allocation and free together, with two readings of the clock in all.
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

/// Times allocation alone.
fn alloc<const HELD: usize, const WRITTEN: bool>(
    allocator: &Allocator,
    layout: Layout,
    rounds: u64,
) -> Duration {
    apart::<HELD, WRITTEN>(allocator, layout, rounds).0
}

/// Times the free alone.
fn free<const HELD: usize, const WRITTEN: bool>(
    allocator: &Allocator,
    layout: Layout,
    rounds: u64,
) -> Duration {
    apart::<HELD, WRITTEN>(allocator, layout, rounds).1
}

/// Times the allocation and the free of the same rounds, each on its own clock.
///
/// A reading of the clock costs more than a pooled allocation. Every round therefore times an empty stretch
/// too, and subtracts it. A reading also waits for the instructions before it, and its own time lets stores
/// settle. The sum of the two times therefore differs from the pair's time by several nanoseconds, in either
/// direction.
fn apart<const HELD: usize, const WRITTEN: bool>(
    allocator: &Allocator,
    layout: Layout,
    rounds: u64,
) -> (Duration, Duration) {
    // An interrupt in the empty stretch must not be subtracted from the work, and no reading takes this long
    // without one.
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
    // The result is never zero, because neither criterion nor a ratio accepts zero.
    let net = |gross: Duration| (gross.saturating_sub(reading) / HELD as u32).max(Duration::from_nanos(1));
    (net(allocating), net(freeing))
}

/// Runs two threads at once, each with its own batches from the same class, and returns the longer of the two
/// times.
fn two_threads<const HELD: usize>(allocator: &Allocator, layout: Layout, rounds: u64) -> Duration {
    at_once::longest_of(2, rounds, |rounds| pair::<HELD, false>(allocator, layout, rounds))
}

/// `HELD` places for blocks, and the allocator of those blocks.
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

    /// Fills all places. The earlier blocks must have been freed: their addresses are overwritten.
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

    /// Frees the blocks of the last `alloc`. Call it once after each `alloc`.
    #[inline(always)]
    fn free(&mut self) {
        for place in &self.blocks {
            // SAFETY: this module calls `alloc` and `free` in turns, so each block came from this allocator
            // with this layout, and is freed once.
            unsafe { self.allocator.dealloc(black_box(*place), self.layout) };
        }
    }
}
