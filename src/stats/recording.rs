//! What a program asks for, exactly: how many blocks of which sizes live at once, whoever serves them.
//!
//! For finding a table, not for production: every request and every free goes a long way while this is on, and changes some thirty shared
//! counters. Off, which is the default, it does not exist.
//!
//! Sizes fall into *bins*: steps of 64 bytes up to 4 KiB, then 64 steps for each power of two. How many blocks of one bin live at once is
//! counted, and the most there ever were; and the same for every pair of bins, every four, and so on, up to all of them: a tree. So the most
//! that lived at once in any run of bins is bounded by the sum of the few largest pieces that make it up, and known exactly where that is one piece.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | all | whoever allocates or frees (Relaxed) | nothing |
//!
//! A block counts from before it is looked for until after it was given back, so at no moment do more slots serve than are counted.

use core::alloc::Layout;
use core::ops::Range;

use crate::config::Config;
use crate::os;
use crate::slots::class::CLASSES;
use crate::sync::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// A power of two, for the tree.
const BINS: usize = 2048;

/// Bins up to the first size that has 64 steps to a power of two.
const EVEN_BINS: usize = 64;
const EVEN_STEP: usize = 64;
const EVEN_SIZES_LOG2: u32 = (EVEN_BINS * EVEN_STEP).ilog2();

/// Mapped zeroed, which is a valid one but for its `config`.
#[repr(C)]
pub(crate) struct Recording {
    /// The table that it was recorded with.
    pub(crate) config: Config,
    /// Blocks that were hits or misses, of each class.
    demand: [Level; CLASSES],
    /// The tree: all bins at 1, the halves of `n` at `2 * n` and `2 * n + 1`, bins from `BINS` on.
    levels: [Level; 2 * BINS],
    bins: [Bin; BINS],
}

/// How many live, and the most that ever did. Signed: a block may be freed here that was allocated before this was on.
struct Level {
    live: AtomicI64,
    max: AtomicI64,
}

struct Bin {
    requests: AtomicU64,
    largest: AtomicU64,
    align: AtomicU64,
    /// Blocks that shrank to a size of this bin, and the largest size that any of them had before.
    shrunk: AtomicU64,
    shrunk_from: AtomicU64,
}

/// What was seen of one bin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) bin: usize,
    pub(crate) requests: u64,
    /// Bytes of the largest request.
    pub(crate) largest: usize,
    /// The strictest alignment that any of them asked for.
    pub(crate) align: usize,
    /// Blocks that shrank to a size of this bin: they may be in a slot of any class that has room for `shrunk_from` bytes.
    pub(crate) shrunk: usize,
    pub(crate) shrunk_from: usize,
}

impl Level {
    fn rise(&self) {
        let live = self.live.fetch_add(1, Relaxed) + 1;
        if live > self.max.load(Relaxed) {
            self.max.fetch_max(live, Relaxed);
        }
    }

    fn fall(&self) {
        self.live.fetch_sub(1, Relaxed);
    }

    fn max(&self) -> usize {
        usize::try_from(self.max.load(Relaxed)).unwrap_or(0)
    }
}

/// The bin of a size: 1 and more.
pub(crate) fn bin_of(size: usize) -> usize {
    let last = size.saturating_sub(1);
    if last < EVEN_BINS * EVEN_STEP {
        return last / EVEN_STEP;
    }
    let log2 = last.ilog2();
    let step = (last >> (log2 - EVEN_BINS.ilog2())) - EVEN_BINS;
    (EVEN_BINS * (1 + (log2 - EVEN_SIZES_LOG2) as usize) + step).min(BINS - 1)
}

/// The lowest size of a bin.
pub(crate) fn lowest_size(bin: usize) -> usize {
    if bin < EVEN_BINS {
        return bin * EVEN_STEP + 1;
    }
    let (octave, step) = (bin / EVEN_BINS - 1, bin % EVEN_BINS);
    (((EVEN_BINS + step) * EVEN_STEP) << octave) + 1
}

/// What decides where a block may be: a slot is at least as large as it is aligned.
fn size_of_slot_for(layout: Layout) -> usize {
    layout.size().max(layout.align())
}

fn bin_for(layout: Layout) -> usize {
    bin_of(size_of_slot_for(layout))
}

impl Recording {
    /// An empty one, for ever; `None` if there is no memory for it.
    pub(crate) fn new(config: &Config, source: os::Source<'_>) -> Option<&'static Self> {
        let memory = os::map_zeroed(size_of::<Self>(), source)?.base().cast::<Self>();
        // SAFETY: zeroed memory of the right size and alignment, which nobody else knows and which is never unmapped; all but the
        // configuration may be zeros, and that is written before it is read.
        unsafe {
            (&raw mut (*memory.as_ptr()).config).write(*config);
            Some(memory.as_ref())
        }
    }

    /// A block of this layout is about to be looked for.
    pub(crate) fn begin(&self, layout: Layout) {
        self.path(bin_for(layout)).for_each(Level::rise);
    }

    /// It was found.
    pub(crate) fn found(&self, layout: Layout, class: Option<usize>) {
        self.count(layout);
        self.occupy(class);
    }

    /// A block gets another size. Whether it can stay where it is depends on the table, unless both sizes are of one bin; so for a moment
    /// there are two, and one that shrank may keep what it had.
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
        let Bin { requests, largest, align, .. } = &self.bins[bin];
        requests.fetch_add(1, Relaxed);
        largest.fetch_max(size_of_slot_for(layout) as u64, Relaxed);
        align.fetch_max(layout.align() as u64, Relaxed);
        bin
    }

    /// It is gone, or was not to be had.
    pub(crate) fn end(&self, layout: Layout) {
        self.path(bin_for(layout)).for_each(Level::fall);
    }

    /// A block has a slot of this class, or would have one if there were enough.
    pub(crate) fn occupy(&self, class: Option<usize>) {
        class.into_iter().for_each(|class| self.demand[class].rise());
    }

    /// It is about to be given back.
    pub(crate) fn vacate(&self, class: Option<usize>) {
        class.into_iter().for_each(|class| self.demand[class].fall());
    }

    /// All levels that a bin is part of.
    fn path(&self, bin: usize) -> impl Iterator<Item = &Level> {
        let up = |node: &usize| (*node > 1).then_some(*node / 2);
        core::iter::successors(Some(BINS + bin), up).map(|node| &self.levels[node])
    }

    /// The most hits and misses of a class that lived at once.
    pub(crate) fn peak_demand(&self, class: usize) -> usize {
        self.demand[class].max()
    }

    /// What was seen up to now. There were `unseen` blocks more.
    pub(crate) fn profile(&self, unseen: usize) -> Profile {
        let max = self.levels.iter().map(|level| level.max() + unseen).collect();
        let number = |counter: &AtomicU64| counter.load(Relaxed) as usize;
        let seen = |(bin, counts): (usize, &Bin)| Seen {
            bin,
            requests: counts.requests.load(Relaxed),
            largest: number(&counts.largest),
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

/// What was seen of all bins.
pub(crate) struct Profile {
    /// Those that were asked for, smallest first.
    pub(crate) seen: Vec<Seen>,
    /// Of each node of the tree.
    max: Vec<usize>,
    /// For each bin, how many of `seen` are below it.
    used_below: Vec<usize>,
}

impl Profile {
    /// No fewer than the most blocks of these bins that ever lived at once. Looks at a few dozen nodes.
    pub(crate) fn max_at_once(&self, bins: Range<usize>) -> usize {
        self.max_below(1, 0..BINS, &bins)
    }

    /// The same for what a node has of them.
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
        assert_eq!(bin_of(usize::MAX), BINS - 1);
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
