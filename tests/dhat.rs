//! P14: dhat as the fallback counts exactly the blocks that the pools do not serve. Its own blocks enter
//! neither pools nor statistics.
//!
//! Each test is a process of its own that has one thread, because dhat and the allocator count for the whole
//! process. The usual test harness cannot give that, not even for a single test.

mod common;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::Barrier;

use common::{case, layout, run, whole};
use framepool::{Class, Config, PoolAlloc, Stats};
use libtest_mimic::{Arguments, Trial};

macro_rules! tests {
    ($($name:ident),+ $(,)?) => { &[$((stringify!($name), $name)),+] };
}

const TESTS: &[(&str, fn())] = tests![
    on_and_off_add_up_to_the_same_blocks_and_bytes_for_every_kind_of_request,
    what_dhat_does_for_itself_is_neither_served_by_the_pools_nor_counted,
    nor_is_it_on_threads_without_a_place_of_their_own,
    a_profiler_built_and_dropped_unpooled_leaves_no_trace_in_the_statistics,
    of_frames_that_all_fit_no_site_is_left,
];

/// Runs one test if this is its process. Otherwise runs each test in a process of its own.
fn main() {
    if let Some(case) = case() {
        return TESTS.iter().find(|(name, _)| *name == case).expect("a test's name").1();
    }
    let trial = |&(name, _): &(&'static str, fn())| Trial::test(name, move || in_a_process_of_its_own(name));
    libtest_mimic::run(&Arguments::from_args(), TESTS.iter().map(trial).collect()).exit();
}

fn in_a_process_of_its_own(name: &'static str) -> Result<(), libtest_mimic::Failed> {
    let output = run(common::this_binary(name));
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    }
}

#[global_allocator]
static ALLOC: PoolAlloc<dhat::Alloc> = PoolAlloc::with_fallback(dhat::Alloc, Config::new());

/// The counts of dhat and of the pools so far.
#[derive(Clone, Copy)]
struct Counts {
    dhat: (u64, u64),
    stats: Stats,
}

impl Counts {
    fn now() -> Self {
        let heap = dhat::HeapStats::get();
        Self { dhat: (heap.total_blocks, heap.total_bytes), stats: ALLOC.stats() }
    }

    /// Returns the counts that dhat and the pools add during `f`.
    fn of(f: impl FnOnce()) -> Self {
        let before = Self::now();
        f();
        let after = Self::now();
        let dhat = (after.dhat.0 - before.dhat.0, after.dhat.1 - before.dhat.1);
        Self { dhat, stats: after.stats.since(&before.stats) }
    }

    /// Returns all requested blocks and bytes: those that the pools served, and those that dhat counted.
    fn all(&self) -> (u64, u64) {
        let (blocks, bytes) = self.stats.served();
        (self.dhat.0 + blocks, self.dhat.1 + bytes)
    }

    /// Returns the blocks and bytes that the pools passed on, by their own count.
    fn passed_on(&self) -> (u64, u64) {
        (self.stats.fallbacks(), self.stats.fallback_bytes())
    }
}

/// Runs `f` under a profiler that writes no file.
fn under_dhat(f: impl FnOnce()) {
    let profiler = ALLOC.unpooled(|| dhat::Profiler::builder().testing().build());
    f();
    ALLOC.unpooled(|| drop(profiler));
}

fn take(layout: Layout) -> *mut u8 {
    // SAFETY: no test asks for an empty layout.
    let start = unsafe { ALLOC.alloc(layout) };
    assert!(!start.is_null());
    start
}

fn give(start: *mut u8, layout: Layout) {
    // SAFETY: the callers give up a live block with its layout.
    unsafe { ALLOC.dealloc(start, layout) };
}

/// Takes a block, moves it through these sizes, and gives it back.
fn resize(sizes: &[usize]) {
    let mut now = layout(sizes[0], 8);
    let mut start = take(now);
    for &size in &sizes[1..] {
        // SAFETY: live, with this layout; no size is 0.
        start = unsafe { ALLOC.realloc(start, now, size) };
        assert!(!start.is_null());
        now = layout(size, 8);
    }
    give(start, now);
}

const LARGEST: usize = 2 << 20;

/// Makes every kind of request, on one thread: served and unserved, in place and moved, in every direction.
fn every_kind_of_request() {
    for size in [
        1,
        24,
        255,
        256,
        1_024,
        1_025,
        16_383,
        40_000,
        65_537,
        200_000,
        300_000,
        1_382_400,
        LARGEST,
        LARGEST + 1,
    ] {
        let layout = layout(size, 8);
        give(take(layout), layout);
        // SAFETY: not empty.
        let zeroed = unsafe { ALLOC.alloc_zeroed(layout) };
        assert!(!zeroed.is_null());
        give(zeroed, layout);
    }
    // Resizes within a slot, and through the classes. Then past the largest class, up and down there, and
    // back to a size that has a class, which stays in the fallback.
    resize(&[300_000, 310_000, 305_000]);
    resize(&[100, 2_000, 70_000, 300_000, LARGEST]);
    resize(&[LARGEST, LARGEST + 1, LARGEST + 2, LARGEST + 1, 100_000]);
    // Shrinks to smaller classes. A small step down stays in its slot.
    resize(&[LARGEST, 200_000, 10_000, 9_000, 100]);
    // Shrinks to the fallback while Small has no slot left for such sizes, and to Small once it has.
    let tiny: Vec<_> = (0..600).map(|_| take(layout(40, 8))).collect();
    (0..3).for_each(|_| resize(&[LARGEST, 40, 30]));
    tiny.iter().for_each(|&start| give(start, layout(40, 8)));
    resize(&[LARGEST, 40, 30]);
    // Grows from the fallback into a slot: all slots are taken at first, and then one is free.
    let all: Vec<_> = (0..64).map(|_| take(whole(Class::XLarge))).collect();
    let whole_slot = whole(Class::XLarge);
    let start = take(layout(whole_slot.size() - 8, 8));
    give(all[0], whole_slot);
    // SAFETY: live, with this layout.
    let grown = unsafe { ALLOC.realloc(start, layout(whole_slot.size() - 8, 8), whole_slot.size()) };
    give(grown, whole_slot);
    all[1..].iter().for_each(|&start| give(start, whole_slot));
    // Plain vectors of the standard library.
    let mut numbers = Vec::new();
    (0..100_000_u64).for_each(|n| numbers.push(n));
    numbers.truncate(10);
    numbers.shrink_to_fit();
}

fn on_and_off_add_up_to_the_same_blocks_and_bytes_for_every_kind_of_request() {
    under_dhat(|| {
        ALLOC.set_enabled(false);
        let off = Counts::of(every_kind_of_request);
        ALLOC.set_enabled(true);
        let on = Counts::of(every_kind_of_request);
        assert_eq!(off.stats.served(), (0, 0));
        assert!(on.stats.hits() > 80 && on.stats.reallocs_in_place() > 4, "{}", on.stats);
        assert!(on.stats.misses() > 0 && on.stats.reallocs_moved() > 4, "{}", on.stats);
        assert_eq!(on.stats.shrunk_to_fallback(), 3);
        assert_eq!(on.all(), off.all());
        assert_eq!(off.passed_on(), off.dhat);
        assert_eq!(on.passed_on(), on.dhat);
    });
}

fn what_dhat_does_for_itself_is_neither_served_by_the_pools_nor_counted() {
    under_dhat(|| {
        let blocks = 1_000;
        let too_large = layout(LARGEST + 1, 8);
        // The blocks live all at once, so that dhat's table of live blocks grows.
        let counts = Counts::of(|| {
            let mut starts = [std::ptr::null_mut(); 1_000];
            starts.iter_mut().for_each(|start| *start = take(too_large));
            starts.iter().for_each(|&start| give(start, too_large));
        });
        assert_eq!(counts.stats.hits(), 0, "{}", counts.stats);
        assert_eq!(counts.passed_on(), (blocks, blocks * too_large.size() as u64));
        assert_eq!(counts.dhat, counts.passed_on());
    });
}

fn nor_is_it_on_threads_without_a_place_of_their_own() {
    // There are 256 places.
    const THREADS: usize = 300;
    const BLOCKS: usize = 20;
    under_dhat(|| {
        let all = Barrier::new(THREADS + 1);
        let work = || {
            let too_large = layout(LARGEST + 1, 8);
            // The counts are taken between the first two waits, when all threads have started, and between
            // the last two, when all are done.
            all.wait();
            all.wait();
            (0..BLOCKS).for_each(|_| give(take(too_large), too_large));
            all.wait();
            all.wait();
        };
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, work).unwrap();
            }
            all.wait();
            let counts = Counts::of(|| {
                all.wait();
                all.wait();
            });
            all.wait();
            assert_eq!(counts.stats.hits(), 0, "{}", counts.stats);
            assert_eq!(counts.stats.fallbacks(), (THREADS * BLOCKS) as u64);
            assert_eq!(counts.dhat, counts.passed_on());
        });
    });
}

fn a_profiler_built_and_dropped_unpooled_leaves_no_trace_in_the_statistics() {
    let file = std::env::temp_dir().join(format!("framepool-{}.json", std::process::id()));
    let before = ALLOC.stats();
    let profiler = ALLOC.unpooled(|| dhat::Profiler::builder().file_name(&file).build());
    let frame = take(layout(1_382_400, 8));
    let beyond = take(layout(LARGEST + 1, 8));
    let during = ALLOC.stats();
    ALLOC.unpooled(|| drop(profiler));
    assert_eq!(ALLOC.stats(), during);
    assert_eq!(during.since(&before).total_allocs(), 2);
    give(frame, layout(1_382_400, 8));
    give(beyond, layout(LARGEST + 1, 8));
    let profile = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(profile.contains(r#""tb": 2097153"#), "the one that went to the fallback is there");
    assert!(!profile.contains("1382400"), "the one that a slot served is not");
}

fn of_frames_that_all_fit_no_site_is_left() {
    under_dhat(|| {
        let counts = Counts::of(|| {
            for pixels in (0..100).map(|i| 1_000 + 1_000 * i) {
                drop(vec![0_u8; pixels * 3 / 2]);
                drop(Vec::<u8>::with_capacity(pixels * 4));
            }
        });
        assert_eq!((counts.dhat, counts.stats.hits()), ((0, 0), 200), "{}", counts.stats);
    });
}
