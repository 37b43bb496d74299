//! A recording of what a program requests: exactly how many blocks of each size live at once, in slots or in
//! the fallback.
//!
//! # Cost
//!
//! It serves to find a table, and is not for production. While it is on, every request and every free takes
//! the slow path. An allocation and its free together change about 35 shared counters, and about 50 if every
//! maximum rises. A few steps are timed, so that the advice can say what the counting cost. If it is off, which is the default, it does not exist.
//!
//! # The tree of bins
//!
//! Sizes fall into *bins*: steps of 64 bytes up to 4 KiB, then 64 steps for each power of two. For each bin,
//! two numbers are counted: how many blocks live now, and the maximum that ever lived at once. The same
//! numbers are counted for every pair of bins, every four, and so on, up to all of them: a tree.
//!
//! So for any run of bins, the maximum at once is bounded by a sum over the few largest pieces that make it
//! up. If the run is one piece, the maximum is known exactly.
//!
//! # Fields and order
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | all | any thread that allocates or frees (Relaxed) | nothing |
//!
//! A block counts from before the search for its place until after it was given back. So at no moment do more
//! slots serve blocks than are counted.

use core::alloc::Layout;
use core::mem::offset_of;
use core::ops::Range;

mod cost;
mod table;

use crate::config::Config;
use crate::layout::{layout_of, mix_all};
use crate::os;
use crate::slots::class::CLASSES;
use crate::stats::level::Level;
use crate::sync::{AtomicU64, Ordering::Relaxed};
use table::Table;

pub(crate) use cost::Cost;
pub use cost::RecordingCost;

/// The number of bins: a power of two, for the tree.
const BINS: usize = 2048;

/// The maximum number of live blocks, of requests of one bin, and of bytes of a request that a recording can have.
const MAX_PLAUSIBLE_BLOCKS: u64 = 1 << 40;
const MAX_PLAUSIBLE_REQUESTS: u64 = 1 << 50;
const MAX_PLAUSIBLE_BYTES: u64 = if usize::BITS == 64 { 1 << 47 } else { isize::MAX as u64 };

/// The number of bins below the first size that has 64 steps for each power of two.
const EVEN_BINS: usize = 64;
const EVEN_STEP: usize = 64;
const EVEN_SIZES_LOG2: u32 = (EVEN_BINS * EVEN_STEP).ilog2();

/// A recording, in memory that is mapped zeroed. All bytes are valid: there are only numbers.
#[repr(C)]
pub(crate) struct Recording {
    /// The table that the program was recorded with.
    table: Table,
    pub(crate) cost: Cost,
    /// Blocks of each class that were hits or misses.
    demand: [Level; CLASSES],
    /// The tree: node 1 is all bins, the halves of node `n` are `2 * n` and `2 * n + 1`, and the bins start
    /// at node `BINS`.
    levels: [Level; 2 * BINS],
    bins: [Bin; BINS],
}

#[repr(C)]
struct Bin {
    requests: AtomicU64,
    bytes: AtomicU64,
    largest: AtomicU64,
    largest_asked: AtomicU64,
    align: AtomicU64,
    /// Blocks that shrank to a size of this bin. `shrunk_from` is the largest size that any of them had
    /// before.
    shrunk: AtomicU64,
    shrunk_from: AtomicU64,
}

/// The counts of one bin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) bin: usize,
    pub(crate) requests: u64,
    /// Bytes of all requests together.
    pub(crate) bytes: u64,
    /// The maximum of size and alignment over all requests, in bytes.
    pub(crate) largest: usize,
    /// The maximum of the size alone, in bytes, which is what a floor looks at.
    pub(crate) largest_asked: usize,
    /// The strictest alignment of any request.
    pub(crate) align: usize,
    /// Blocks that shrank to a size of this bin. They may be in a slot of any class that has room for
    /// `shrunk_from` bytes.
    pub(crate) shrunk: usize,
    pub(crate) shrunk_from: usize,
}

/// Returns the bin of a size of 1 or more.
pub(crate) fn bin_of(size: usize) -> usize {
    let last = size.saturating_sub(1);
    if last < EVEN_BINS * EVEN_STEP {
        return last / EVEN_STEP;
    }
    let log2 = last.ilog2();
    let step = (last >> (log2 - EVEN_BINS.ilog2())) - EVEN_BINS;
    (EVEN_BINS * (1 + (log2 - EVEN_SIZES_LOG2) as usize) + step).min(BINS - 1)
}

/// Returns the lowest size of a bin.
pub(crate) fn lowest_size(bin: usize) -> usize {
    if bin < EVEN_BINS {
        return bin * EVEN_STEP + 1;
    }
    let (octave, step) = (bin / EVEN_BINS - 1, bin % EVEN_BINS);
    (((EVEN_BINS + step) * EVEN_STEP) << octave) + 1
}

/// Returns the size that decides where a block may be: a slot is at least as large as it is aligned.
fn size_of_slot_for(layout: Layout) -> usize {
    layout.size().max(layout.align())
}

fn bin_for(layout: Layout) -> usize {
    bin_of(size_of_slot_for(layout))
}

impl Recording {
    pub(crate) const LAYOUT: u64 = mix_all(&[
        layout_of!(Recording { table, cost, demand, levels, bins }),
        layout_of!(Bin { requests, bytes, largest, largest_asked, align, shrunk, shrunk_from }),
        Table::LAYOUT,
        Cost::LAYOUT,
    ]);

    /// Creates an empty recording, which is never unmapped. `None` if there is no memory for it.
    pub(crate) fn new(config: &Config, source: os::Source<'_>) -> Option<&'static Self> {
        let memory = os::map_zeroed(size_of::<Self>(), source)?.base().cast::<Self>();
        // SAFETY: zeroed memory of the right size and alignment, which no other thread knows and which is
        // never unmapped. Zeros are valid.
        let recording = unsafe {
            (&raw mut (*memory.as_ptr()).table).write(Table::of(config));
            memory.as_ref()
        };
        recording.cost.begin();
        Some(recording)
    }

    /// The offset of the maxima of the classes.
    pub(crate) const DEMAND: usize = offset_of!(Recording, demand);

    /// Whether this may be a recording at all: one that was read in another process may be torn, or no recording.
    pub(crate) fn is_plausible(&self) -> bool {
        let max = |level: &Level| level.max() as u64 <= MAX_PLAUSIBLE_BLOCKS;
        let is_bin = |bin: &Bin| {
            bin.requests.load(Relaxed) <= MAX_PLAUSIBLE_REQUESTS
                && [&bin.largest, &bin.largest_asked, &bin.align, &bin.shrunk_from]
                    .iter()
                    .all(|bytes| bytes.load(Relaxed) <= MAX_PLAUSIBLE_BYTES)
        };
        self.config().validate().is_ok()
            && self.levels.iter().chain(&self.demand).all(max)
            && self.bins.iter().all(is_bin)
    }

    /// Returns the table that the program was recorded with, as far as advice looks at it.
    pub(crate) fn config(&self) -> Config {
        self.table.config()
    }

    /// Counts a block of this layout. Must be called before the search for its place.
    pub(crate) fn begin(&self, layout: Layout) {
        self.path(bin_for(layout)).for_each(Level::rise);
    }

    /// Counts the request after its block was found.
    pub(crate) fn found(&self, layout: Layout, class: Option<usize>) {
        self.count(layout);
        self.occupy(class);
    }

    /// Counts a block that gets another size.
    ///
    /// Unless both sizes are of one bin, the table decides whether the block can stay in its place. So for a
    /// moment it counts as two blocks. A block that shrank may keep the slot that it had.
    pub(crate) fn resize(&self, old: Layout, new: Layout) {
        let (bin, old_bin) = (self.count(new), bin_for(old));
        if bin < old_bin {
            self.bins[bin].shrunk.fetch_add(1, Relaxed);
            self.bins[bin].shrunk_from.fetch_max(size_of_slot_for(old) as u64, Relaxed);
        }
        if bin != old_bin {
            self.path(bin).for_each(Level::rise);
            self.end(old);
        }
    }

    /// Counts a request, and returns its bin.
    fn count(&self, layout: Layout) -> usize {
        let bin = bin_for(layout);
        let Bin { requests, bytes, largest, largest_asked, align, .. } = &self.bins[bin];
        requests.fetch_add(1, Relaxed);
        bytes.fetch_add(layout.size() as u64, Relaxed);
        largest.fetch_max(size_of_slot_for(layout) as u64, Relaxed);
        largest_asked.fetch_max(layout.size() as u64, Relaxed);
        align.fetch_max(layout.align() as u64, Relaxed);
        bin
    }

    /// Counts the end of a block: it was given back, or no memory was found for it.
    pub(crate) fn end(&self, layout: Layout) {
        self.path(bin_for(layout)).for_each(Level::fall);
    }

    /// Counts a block that has a slot of this class, or would have one if there were enough.
    pub(crate) fn occupy(&self, class: Option<usize>) {
        class.into_iter().for_each(|class| self.demand[class].rise());
    }

    /// Takes back what [`occupy`](Self::occupy) counted for a block that is about to be given back.
    pub(crate) fn vacate(&self, class: Option<usize>) {
        class.into_iter().for_each(|class| self.demand[class].fall());
    }

    /// Returns all levels that a bin is part of.
    fn path(&self, bin: usize) -> impl Iterator<Item = &Level> {
        let up = |node: &usize| (*node > 1).then_some(*node / 2);
        core::iter::successors(Some(BINS + bin), up).map(|node| &self.levels[node])
    }

    /// Returns the maximum number of hits and misses of a class that lived at once.
    pub(crate) fn peak_demand(&self, class: usize) -> usize {
        self.demand[class].max()
    }

    /// Returns the counts so far. `unseen` blocks that were not recorded are added to each maximum.
    pub(crate) fn profile(&self, unseen: usize) -> Profile {
        let max = self.levels.iter().map(|level| level.max().saturating_add(unseen)).collect();
        let number = |counter: &AtomicU64| counter.load(Relaxed) as usize;
        let seen = |(bin, counts): (usize, &Bin)| Seen {
            bin,
            requests: counts.requests.load(Relaxed),
            bytes: counts.bytes.load(Relaxed),
            largest: number(&counts.largest),
            largest_asked: number(&counts.largest_asked),
            align: number(&counts.align),
            shrunk: number(&counts.shrunk),
            shrunk_from: number(&counts.shrunk_from),
        };
        let bins = self.bins.iter().enumerate().map(seen);
        let seen: Vec<_> = bins.filter(|seen| seen.requests > 0).collect();
        let used_below = (0..=BINS).map(|bin| seen.partition_point(|seen| seen.bin < bin)).collect();
        Profile { seen, max, used_below }
    }
}

/// The counts of all bins.
pub(crate) struct Profile {
    /// The bins that were requested, smallest first.
    pub(crate) seen: Vec<Seen>,
    /// The maximum of each node of the tree.
    max: Vec<usize>,
    /// The number of entries of `seen` that are below each bin.
    used_below: Vec<usize>,
}

impl Profile {
    /// Whether no bin between these two was requested.
    pub(crate) fn has_none_between(&self, bin: usize, next: usize) -> bool {
        self.used(&(bin + 1..next)) == 0
    }

    /// Returns an upper bound of the number of blocks of these bins that ever lived at once. Looks at a few
    /// dozen nodes.
    pub(crate) fn max_at_once(&self, bins: Range<usize>) -> usize {
        self.max_below(1, 0..BINS, &bins)
    }

    /// Returns that bound for the wanted bins of one node.
    fn max_below(&self, node: usize, of_node: Range<usize>, wanted: &Range<usize>) -> usize {
        let common = of_node.start.max(wanted.start)..of_node.end.min(wanted.end);
        if common.is_empty() || self.used(&common) == 0 {
            return 0;
        }
        if self.used(&common) == self.used(&of_node) {
            return self.max[node];
        }
        let middle = of_node.start.midpoint(of_node.end);
        self.max_below(2 * node, of_node.start..middle, wanted)
            + self.max_below(2 * node + 1, middle..of_node.end, wanted)
    }

    fn used(&self, bins: &Range<usize>) -> usize {
        self.used_below[bins.end] - self.used_below[bins.start]
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    fn recording() -> &'static Recording {
        Recording::new(&Config::new(), &System).unwrap()
    }

    fn begin(recording: &Recording, layout: Layout) {
        recording.begin(layout);
        recording.found(layout, None);
    }

    fn bytes(size: usize) -> Layout {
        Layout::from_size_align(size, 1).unwrap()
    }

    #[test]
    fn bins_ascend_and_are_at_most_a_64th_of_their_sizes_wide() {
        let mut before = 0;
        for size in (1..100_000).chain((1..400).map(|n| n << 20)) {
            let bin = bin_of(size);
            assert!(bin >= before && bin < BINS, "{size}");
            let width = (0..).take_while(|more| bin_of(size + more * 8) == bin).count() * 8;
            assert!(width <= 64.max(size / 60), "{size}: {width}");
            let lowest = lowest_size(bin);
            assert!(lowest <= size && bin_of(lowest) == bin, "{size}");
            assert!(lowest == 1 || bin_of(lowest - 1) == bin - 1, "{size}");
            before = bin;
        }
        assert_eq!(
            [64, 65, 4_096, 4_097, 4_160, 4_161, 8_192, 8_193].map(bin_of),
            [0, 1, 63, 64, 64, 65, 127, 128]
        );
        // 64 bins for each power of two.
        assert_eq!(bin_of(usize::MAX), if usize::BITS == 64 { BINS - 1 } else { BINS - 1 - 11 * 64 });
    }

    #[test]
    fn what_lived_at_once_is_exact_for_a_bin_and_for_all_and_never_too_little_for_others() {
        let recording = recording();
        let (small, frame, other) = (bytes(100), bytes(1_382_400), bytes(388_800));
        [small, frame, frame, other].into_iter().for_each(|layout| begin(recording, layout));
        recording.end(small);
        recording.end(other);
        (0..3).for_each(|_| begin(recording, other));
        recording.end(frame);
        begin(recording, small);
        let bin = |layout: Layout| bin_of(layout.size());
        let profile = recording.profile(0);
        let of = |layout| profile.max_at_once(bin(layout)..bin(layout) + 1);
        assert_eq!([of(small), of(frame), of(other), of(bytes(7_000))], [1, 2, 3, 0]);
        assert_eq!(profile.max_at_once(0..BINS), 5);
        assert_eq!(profile.max_at_once(bin(other)..bin(frame) + 1), 5);
        assert_eq!(profile.max_at_once(0..bin(other) + 1), 4);
        let seen: Vec<_> = profile.seen.iter().map(|seen| (seen.requests, seen.largest)).collect();
        assert_eq!(seen, [(2, 100), (4, 388_800), (2, 1_382_400)]);
    }

    #[test]
    fn a_block_that_is_resized_is_two_for_a_moment_unless_no_table_could_part_the_sizes() {
        let recording = recording();
        begin(recording, bytes(1_382_400));
        recording.resize(bytes(1_382_400), bytes(1_382_401));
        assert_eq!(recording.profile(0).max_at_once(0..BINS), 1);
        recording.resize(bytes(1_382_401), bytes(100));
        assert_eq!(recording.profile(0).max_at_once(0..BINS), 2);
        begin(recording, bytes(100));
        assert_eq!(recording.profile(0).max_at_once(0..bin_of(200)), 2);
        let requests: Vec<_> = recording.profile(0).seen.iter().map(|seen| seen.requests).collect();
        assert_eq!(requests, [2, 2]);
    }

    #[test]
    fn what_was_not_to_be_had_is_no_request() {
        let recording = recording();
        recording.begin(bytes(isize::MAX as usize));
        recording.end(bytes(isize::MAX as usize));
        assert!(recording.profile(0).seen.is_empty());
    }

    #[test]
    fn a_class_has_what_it_served_and_what_it_would_have_served() {
        let recording = recording();
        recording.occupy(Some(2));
        recording.occupy(Some(2));
        recording.vacate(Some(2));
        recording.occupy(Some(2));
        recording.occupy(None);
        assert_eq!([0, 1, 2, 3].map(|class| recording.peak_demand(class)), [0, 0, 2, 0]);
        recording.vacate(Some(0));
        assert_eq!(recording.peak_demand(0), 0, "freed, but allocated before this was on");
    }
}
