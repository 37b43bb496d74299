//! Tests of `Config::record`: the recorded demand of a program, and a table that serves it. The advised
//! literal is pasted here as a user would paste it.

mod common;
#[path = "common/system.rs"]
mod system;

use std::alloc::{GlobalAlloc, Layout, System};

use common::{Block, child, layout, run};
use framepool::{Class, Config, Finding, PoolAlloc};

/// The literal that the recording of [`work`] advises.
const CONFIG: framepool::Config = framepool::Config::new()
    .class(framepool::Class::Small, 1_024, 112) // up to 100 at once
    .floor(framepool::Class::Small, 256)
    .hold_back(framepool::Class::Small, 0, 0)
    .magazine(framepool::Class::Small, 0)
    .class(framepool::Class::Medium, 40_960, 45) // up to 40 at once
    .hold_back(framepool::Class::Medium, 0, 0)
    .magazine(framepool::Class::Medium, 0)
    .class(framepool::Class::Large, 389_120, 11) // up to 9 at once
    .hold_back(framepool::Class::Large, 0, 0)
    .magazine(framepool::Class::Large, 0)
    .class(framepool::Class::XLarge, 3_112_960, 5) // up to 4 at once
    .hold_back(framepool::Class::XLarge, 0, 0)
    .magazine(framepool::Class::XLarge, 0);

/// Takes the buffers of a server and 700 tiny objects, and gives them all back, 20 times.
fn work(pool: &'static PoolAlloc) {
    let demand = [(1_000, 100), (40_000, 40), (388_800, 9), (3_110_400, 4), (30, 700)];
    for _ in 0..20 {
        let blocks: Vec<_> = demand
            .iter()
            .flat_map(|&(size, count)| (0..count).map(move |id| Block::take(pool, layout(size, 1), id)))
            .collect();
        blocks.into_iter().for_each(Block::give);
    }
}

#[test]
fn the_advised_table_serves_what_was_recorded_without_a_miss() {
    static RECORDED: PoolAlloc =
        PoolAlloc::with_config(Config::new().class(Class::Medium, 64 << 10, 30).record(true));
    static ADVISED: PoolAlloc = PoolAlloc::with_config(CONFIG);
    work(&RECORDED);
    let stats = RECORDED.stats();
    let medium = stats.class(Class::Medium);
    assert_eq!((medium.misses, medium.peak, medium.peak_demand), (200, 30, 40));
    assert_eq!(stats.class(Class::XLarge).peak_demand, 9);
    let advice = stats.advice();
    assert_eq!(advice.config(), Some(CONFIG), "{advice}");
    assert!(advice.reserved_bytes() as f64 <= 1.3 * advice.peak_bytes() as f64);
    let literal = advice.literal().unwrap();
    assert!(include_str!("advice.rs").contains(&literal), "{literal}");
    let table = "small=1024x112:floor=256:hold=0:magazine=0,medium=40960x45:floor=0:hold=0:magazine=0,\
                 large=389120x11:floor=0:hold=0:magazine=0,xlarge=3112960x5:floor=0:hold=0:magazine=0";
    assert_eq!(advice.environment().unwrap(), table);
    assert!(advice.findings.contains(&Finding::TooFewSlots { class: Class::Medium, slots: 30, wanted: 40 }));
    if cfg!(unix) {
        let cost = advice.cost.expect("a clock");
        assert!(!cost.counting.is_zero() && (0.0..=1.0).contains(&cost.share()), "{cost:?}");
        assert!(advice.to_string().contains("- the counting of the recording took about "), "{advice}");
    }

    work(&ADVISED);
    let stats = ADVISED.stats();
    assert_eq!((stats.misses(), stats.hits()), (0, 20 * 153));
    assert_eq!(stats.class(Class::Small).below_floor, 20 * 700);
}

#[test]
fn a_recording_changes_nothing_that_a_program_can_see() {
    static RECORDED: PoolAlloc = PoolAlloc::with_config(Config::new().record(true));
    let pool = &RECORDED;
    let frame = Block::take(pool, layout(1_382_400, 8), 1);
    let large = Block::take(pool, layout(3 << 20, 8), 2);
    assert!(pool.owns(frame.start) && !pool.owns(large.start));
    assert_eq!((pool.usable_size(frame.start), pool.usable_size(large.start)), (Some(2 << 20), None));
    let start = frame.start;
    let frame = frame.resize(2 << 20).resize(100);
    assert_eq!(frame.start, start);
    let grown = frame.resize(3 << 20);
    assert!(!pool.owns(grown.start));
    let large = large.resize(1 << 20).resize(4 << 20).resize(100);
    [grown, large].into_iter().for_each(Block::give);
    // SAFETY: not empty, and freed as they were allocated.
    unsafe {
        let zeroed = pool.alloc_zeroed(layout(70_000, 8));
        assert!(pool.owns(zeroed) && (0..70_000).all(|at| zeroed.add(at).read() == 0));
        pool.dealloc(zeroed, layout(70_000, 8));
        assert!(pool.alloc(layout(isize::MAX as usize - 63, 64)).is_null());
    }
    let stats = pool.stats();
    for class in Class::ALL {
        let class = stats.class(class);
        assert_eq!((class.in_use, class.hits), (0, class.returns));
    }
    assert_eq!((stats.hits(), stats.misses(), stats.bypasses()), (2, 0, 4));
    assert_eq!(stats.reallocs_in_place(), 2);
    // The move out of a slot counts. Moves within the fallback do not.
    assert_eq!(stats.reallocs_moved(), 1);
    pool.set_enabled(false);
    let frame = Block::take(pool, layout(1_000, 8), 3);
    assert!(!pool.owns(frame.start));
    frame.give();
    assert!(pool.trim() > 0 || !system::TRIMS);
}

/// A live block that is resized in place stays in the demand at every moment. Meanwhile this thread takes one
/// more block, at an arbitrary moment.
#[test]
fn demand_is_never_less_than_what_is_in_use() {
    const TABLE: Config =
        Config::new().class(Class::Large, 70_000 / 64 * 64, 4).class(Class::XLarge, 1 << 20, 4);
    for _ in 0..100 {
        let pool: &PoolAlloc = Box::leak(Box::new(PoolAlloc::with_config(TABLE.record(true))));
        let kept = Block::take(pool, layout(200_000, 8), 1);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let done = &done;
            scope.spawn(move || {
                let sizes = (0..).take_while(|_| !done.load(std::sync::atomic::Ordering::Relaxed));
                sizes.fold(kept, |kept, n| kept.resize(200_000 + n % 2 * 500_000)).give();
            });
            let _done = common::DoneWhenDropped(done);
            std::thread::yield_now();
            Block::take(pool, layout(1 << 20, 8), 2).give();
        });
        let class = pool.stats().class(Class::XLarge);
        assert!(class.peak_demand >= class.peak && class.peak == 2, "{class:?}");
    }
}

#[test]
fn what_is_asked_for_unpooled_or_while_switched_off_is_no_demand() {
    static RECORDED: PoolAlloc = PoolAlloc::with_config(Config::new().record(true));
    let frames = || (0..100).map(|id| Block::take(&RECORDED, layout(2 << 20, 8), id)).collect::<Vec<_>>();
    Block::take(&RECORDED, layout(100_000, 8), 1).give();
    RECORDED.unpooled(|| frames().into_iter().for_each(Block::give));
    RECORDED.set_enabled(false);
    frames().into_iter().for_each(Block::give);
    RECORDED.set_enabled(true);
    assert_eq!(RECORDED.stats().class(Class::XLarge).peak_demand, 0);
    frames().into_iter().for_each(Block::give);
    assert_eq!(RECORDED.stats().class(Class::XLarge).peak_demand, 100);
}

#[test]
fn misuse_ends_a_recorded_program_too() {
    static RECORDED: PoolAlloc = PoolAlloc::with_config(Config::new().record(true));
    if common::case().is_none() {
        let output = run(child(misuse_ends_a_recorded_program_too, "twice"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        return assert!(stderr.contains("framepool: double free: Medium slot 0 at 0x"), "{stderr}");
    }
    let block = Block::take(&RECORDED, layout(2_000, 8), 1);
    let (start, layout) = (block.start, block.layout);
    block.give();
    // SAFETY: none, on purpose.
    unsafe { RECORDED.dealloc(start, layout) };
}

/// Tests of a recorded global allocator, with threads that start and exit, and blocks that another thread
/// frees.
mod everywhere {
    use super::*;

    #[global_allocator]
    static ALLOC: PoolAlloc = PoolAlloc::new();

    #[cfg(all(unix, not(framepool_os = "none")))]
    #[test]
    fn a_whole_program_is_recorded_and_advised_at_its_exit() {
        let test = a_whole_program_is_recorded_and_advised_at_its_exit;
        if common::case().is_some() {
            let threads: Vec<_> =
                (0..8_usize).map(|id| std::thread::spawn(move || vec![id as u8; 300_000 + id])).collect();
            let frames: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            drop(frames);
            (0..20).for_each(|_| drop(vec![0_u8; 300_000]));
            let class = ALLOC.stats().class(Class::XLarge);
            assert!(class.peak_demand >= 8 && class.in_use == 0, "{class:?}");
            return;
        }
        let mut command = child(test, "child");
        command.env("FRAMEPOOL", "record");
        let output = run(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        for line in ["Overall hit rate: ", "\nFRAMEPOOL=small=", "const CONFIG: framepool::Config"] {
            assert!(stderr.contains(line), "{stderr}");
        }
        let advised = stderr.lines().find(|line| line.contains("Class::XLarge, ")).unwrap();
        assert!(advised.contains("XLarge, 303_104, 9"), "{stderr}");
        // The advised table serves a program.
        let table = stderr.lines().find_map(|line| line.strip_prefix("FRAMEPOOL=")).unwrap();
        let mut command = child(super::everywhere::the_table_is_tried, "child");
        command.env("FRAMEPOOL", table);
        common::run_to_success(command);
    }

    /// A program without slots records nothing, so it gets no advice. (32-bit tables are as small as what can be reserved.)
    #[cfg(all(target_os = "linux", target_pointer_width = "64", not(framepool_os = "none")))]
    #[test]
    fn without_address_space_there_is_no_advice() {
        let test = without_address_space_there_is_no_advice;
        if common::case().is_some() {
            return;
        }
        let mut command = child(test, "child");
        command.env(
            "FRAMEPOOL",
            "record,small=1048576x1,medium=2097152x1,large=4194304x1,xlarge=8589934592x131072",
        );
        let output = run(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("Reservation denied") && !stderr.contains("at once"), "{stderr}");
    }

    #[test]
    fn the_table_is_tried() {
        if common::case().is_some() {
            let frames: Vec<_> = (0..8_u8).map(|id| vec![id; 300_000]).collect();
            assert!(frames.iter().all(|frame| ALLOC.owns(frame.as_ptr())));
            assert_eq!(ALLOC.stats().class(Class::XLarge).slot_bytes, 303_104);
        }
    }
}

/// A page of the program, far from all mappings, where a slot could start.
#[repr(align(4096))]
struct Page([u8; 4096]);

static PAGE: Page = Page([0; 4096]);

/// A fallback whose empty blocks are in that page.
struct Paged;

// SAFETY: `System` keeps the contract, and an empty block may be anywhere.
unsafe impl GlobalAlloc for Paged {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == 0 {
            return PAGE.0.as_ptr().cast_mut();
        }
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if layout.size() > 0 {
            // SAFETY: the caller's contract.
            unsafe { System.dealloc(ptr, layout) }
        }
    }
}

/// `GlobalAlloc` forbids requests for such blocks. `SECURITY.md` says that they are served all the same.
#[test]
fn a_block_of_no_bytes_may_come_and_go_during_a_recording_from_the_pools_or_the_fallback() {
    static POOL: PoolAlloc<Paged> = PoolAlloc::with_plain_fallback(Paged, Config::new().record(true));
    let test = a_block_of_no_bytes_may_come_and_go_during_a_recording_from_the_pools_or_the_fallback;
    if common::case().is_none() {
        return common::run_to_success(child(test, "alone"));
    }
    let empty = layout(0, 1);
    Block::take(&POOL, layout(1_000, 8), 0).give();
    for is_pooled in [false, true] {
        POOL.set_enabled(is_pooled);
        // SAFETY: the fallback and the pools serve a block of no bytes too. It is freed as it was allocated.
        unsafe {
            let start = POOL.alloc(empty);
            assert_eq!(POOL.owns(start), is_pooled);
            POOL.set_enabled(true);
            POOL.dealloc(start, empty);
        }
    }
    assert_eq!(POOL.stats().class(Class::Small).in_use, 0);
}
