//! P11: nothing in the pools allocates, and the fallback gets exactly the requests that the statistics
//! report.
//!
//! `Watched` is between the program and the pools. It counts the program's requests, and aborts if a call
//! into the pools comes back to it. `Counting` is behind the pools, and counts the requests that reach the
//! fallback.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use common::{Block, Random, child, layout, run, run_to_success, whole};
use framepool::{Class, Config, PoolAlloc};

/// The number of requests, and the sum of their bytes.
struct Count(AtomicU64, AtomicU64);

impl Count {
    const fn new() -> Self {
        Self(AtomicU64::new(0), AtomicU64::new(0))
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(1, Relaxed);
        self.1.fetch_add(bytes as u64, Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.0.load(Relaxed), self.1.load(Relaxed))
    }
}

static ASKED: Count = Count::new();
static FELL_BACK: Count = Count::new();

struct Watched(PoolAlloc<Counting>);

#[global_allocator]
static ALLOC: Watched = Watched(PoolAlloc::with_fallback(Counting, Config::new()));

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with the pools themselves. Aborts if `f` calls the global allocator.
fn inside<R>(f: impl FnOnce(&PoolAlloc<Counting>) -> R) -> R {
    if INSIDE.replace(true) {
        let _ = std::io::stderr().write_all(b"the pools allocate\n");
        std::process::abort();
    }
    let result = f(&ALLOC.0);
    INSIDE.set(false);
    result
}

// SAFETY: passes every call on to the pools, which keep the contract.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.add(layout.size());
        // SAFETY: the caller's contract.
        inside(|pools| unsafe { pools.alloc(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        inside(|pools| unsafe { pools.dealloc(ptr, layout) });
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ASKED.add(layout.size());
        // SAFETY: the caller's contract.
        inside(|pools| unsafe { pools.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ASKED.add(new_size);
        // SAFETY: the caller's contract.
        inside(|pools| unsafe { pools.realloc(ptr, layout, new_size) })
    }
}

/// The fallback: the `System` allocator, with a count of its requests.
struct Counting;

// SAFETY: passes every call on to `System`, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        FELL_BACK.add(layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        FELL_BACK.add(layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        FELL_BACK.add(new_size);
        // SAFETY: the caller's contract.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

/// Returns a random size up to 4 MiB. Small sizes are as frequent as large ones.
fn size(random: &mut Random) -> usize {
    let magnitude = 1 << random.below(22);
    1 + magnitude + random.below(magnitude)
}

/// Allocates, reallocates and frees at random. It holds enough blocks at once for every class to run dry now
/// and then.
fn work_at_random(seed: u64) {
    let mut random = Random(seed);
    let mut blocks = Vec::new();
    for id in 0..20_000 {
        match random.below(8) {
            0..3 => {
                let aligns = if random.below(100) == 0 { 23 } else { 8 };
                let layout = layout(size(&mut random), 1 << random.below(aligns));
                blocks.push(Block::take(&ALLOC, layout, id));
            }
            3 => {
                let (size, at) = (size(&mut random), random.below(1 << 12));
                let zeroed = vec![0_u8; size];
                assert_eq!(zeroed[at % size], 0);
            }
            4 if id % 1_000 < 10 => ALLOC.0.set_enabled(random.below(3) > 0),
            _ if blocks.is_empty() => {}
            kind => {
                let at = random.below(blocks.len());
                let block = blocks.swap_remove(at);
                if kind < 6 { blocks.push(block.resize(size(&mut random))) } else { block.give() }
            }
        }
        if blocks.len() > 100 {
            blocks.drain(..50).for_each(Block::give);
        }
    }
    blocks.into_iter().for_each(Block::give);
}

/// Runs in a child process, so that no other thread allocates while the counts are compared.
#[test]
fn every_request_ends_in_exactly_one_counter_and_the_fallback_sees_those_that_say_so() {
    if common::case().is_none() {
        let test = every_request_ends_in_exactly_one_counter_and_the_fallback_sees_those_that_say_so;
        return run_to_success(child(test, "count"));
    }
    let read = || (ASKED.get(), FELL_BACK.get(), ALLOC.0.stats());
    let compare = || {
        // The thread that started this test may not be done with that.
        let mut seen = read();
        let (asked, fell_back, stats) = loop {
            thread::sleep(Duration::from_millis(10));
            match read() {
                same if same == seen => break same,
                other => seen = other,
            }
        };
        let (served, bytes) = stats.served();
        // Without `mmap`, the fallback also got two requests of the pools' own: for the slots, and for the
        // metadata.
        let own = if cfg!(framepool_os = "none") { 2 } else { 0 };
        assert_eq!(fell_back.0, stats.fallbacks() + own);
        assert!(fell_back.1 == stats.fallback_bytes() || own > 0);
        assert_eq!(asked, (served + stats.fallbacks(), bytes + stats.fallback_bytes()));
        assert_eq!(asked.1, stats.total_bytes());
        for class in Class::ALL {
            let class = stats.class(class);
            assert_eq!(class.in_use, class.hits - class.returns);
        }
        stats
    };
    let before = compare();
    let threads = [1, 2, 3, 4].map(|seed| thread::spawn(move || work_at_random(seed)));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    ALLOC.0.set_enabled(true);
    let stats = compare().since(&before);
    // Every kind of event did happen.
    for class in Class::ALL {
        let class = stats.class(class);
        assert!(class.hits > 100 && class.returns > 100 && class.reallocs_in_place > 25, "{class:?}");
    }
    assert!(stats.misses() > 0 && stats.reallocs_moved() > 0 && stats.memsets_done() > 0, "{stats}");
    for &reason in framepool::Bypass::ALL {
        use framepool::Bypass::{BelowFloor, HeldBack, Starting};
        assert!(stats.bypassed(reason) > 0 || matches!(reason, BelowFloor | HeldBack | Starting), "{stats}");
    }
}

#[test]
fn statistics_questions_switches_and_trims_allocate_nothing() {
    if common::case().is_none() {
        return run_to_success(child(statistics_questions_switches_and_trims_allocate_nothing, "ask"));
    }
    let frame = vec![1_u8; 1 << 20];
    let ask_everything = || {
        let before = ASKED.get();
        let answers = inside(|pools| {
            let before = pools.stats();
            let (owns, bytes) = (pools.owns(frame.as_ptr()), pools.usable_size(frame.as_ptr()));
            pools.set_enabled(false);
            pools.set_enabled(true);
            pools.trim();
            let stats = pools.stats().since(&before);
            (owns, bytes, stats.total_allocs(), stats.hit_rate())
        });
        // The test harness has a thread of its own, which may have allocated meanwhile.
        thread::sleep(Duration::from_millis(1));
        (ASKED.get() == before).then_some(answers)
    };
    let answers = (0..1_000).find_map(|_| ask_everything());
    assert_eq!(answers.expect("a moment in which no other thread allocates"), (true, Some(2 << 20), 0, 0.0));
}

/// The pools are reserved within the first allocation, long before this test.
#[cfg(all(any(unix, windows), not(framepool_os = "none")))]
#[test]
fn the_environment_is_read_without_allocating() {
    let test = the_environment_is_read_without_allocating;
    if common::case().is_some() {
        return println!("{} slots", ALLOC.0.stats().class(Class::Medium).slots);
    }
    for (value, slots) in [("stats,medium=65536x99", "99 slots"), ("medium=65536x99,nonsense", "64 slots")] {
        let mut command = child(test, "child");
        command.env("FRAMEPOOL", value);
        let output = run(command);
        assert!(output.status.success() && !output.stderr.is_empty(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(slots), "{output:?}");
    }
}

#[test]
fn the_text_on_misuse_is_written_without_allocating() {
    if common::case().is_some() {
        let block = Block::take(&ALLOC, whole(Class::XLarge), 1);
        let (start, layout) = (block.start, block.layout);
        block.give();
        // SAFETY: none, on purpose.
        return unsafe { ALLOC.dealloc(start, layout) };
    }
    let output = run(child(the_text_on_misuse_is_written_without_allocating, "misuse"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.starts_with("framepool: double free: XLarge slot ") && stderr.lines().count() == 1,
        "{stderr}"
    );
    assert!(!output.status.success());
}
