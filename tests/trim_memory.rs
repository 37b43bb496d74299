//! P13: after `trim`, the kernel has the memory of free slots back, and the figure that `trim` returns is the
//! kernel's.

#![cfg(all(target_os = "linux", not(framepool_os = "none")))]

mod common;
#[path = "common/kernel.rs"]
mod kernel;

use std::alloc::GlobalAlloc;
use std::collections::BTreeSet;
use std::io::Error;

use common::{Block, is_in_child, layout, whole};
use framepool::{Class, Config, PoolAlloc};
use kernel::{inject_failure, page_bytes};

const MIB: u64 = 1 << 20;
/// A table smaller than the default, because these tests use all of it, several of them at the same time.
const SMALLER: Config = Config::new().class(Class::XLarge, 2 << 20, 16);

/// Writes every slot of every class, and gives all back.
fn use_all(pool: &PoolAlloc) {
    for class in Class::ALL {
        let layout = layout(pool.stats().class(class).slot_bytes as usize, 1);
        let blocks: Vec<_> =
            (0..pool.stats().class(class).slots).map(|id| Block::take(pool, layout, id)).collect();
        for block in &blocks {
            // SAFETY: within the block, between the stamps at its ends.
            unsafe { block.start.add(16).write_bytes(0xAA, layout.size() - 32) };
        }
        blocks.into_iter().for_each(Block::give);
    }
}

/// Returns the number of resident bytes of this process.
fn resident_bytes() -> u64 {
    kernel::Mapping::all().iter().map(|mapping| mapping.bytes("Rss")).sum()
}

#[test]
fn with_nothing_live_no_slot_has_memory_and_the_process_little_more_than_at_the_start() {
    static POOL: PoolAlloc = PoolAlloc::new();
    if is_in_child(with_nothing_live_no_slot_has_memory_and_the_process_little_more_than_at_the_start) {
        // The first call makes resident what the test itself needs.
        resident_bytes();
        let before = resident_bytes();
        for _ in 0..3 {
            use_all(&POOL);
            let all = Config::new().reserved_bytes() as u64;
            assert_eq!(POOL.residency().resident_bytes, all);
            assert_eq!(POOL.trim() as u64, all);
            assert_eq!(POOL.residency().resident_bytes, 0);
            assert_eq!(POOL.trim(), 0);
            let after = resident_bytes();
            assert!(after < before + MIB, "{before} bytes before, {after} after");
        }
    }
}

#[test]
fn what_was_handed_out_but_never_written_is_not_counted() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let page = page_bytes();
    let layout = whole(Class::XLarge);
    // SAFETY: written within its size, freed as it was allocated.
    unsafe {
        let ptr = POOL.alloc(layout);
        ptr.add(page).write_bytes(1, 3 * page);
        POOL.dealloc(ptr, layout);
    }
    assert_eq!(POOL.trim(), 3 * page);
}

#[test]
fn of_slots_that_share_pages_all_goes_that_touches_no_live_one() {
    const ODD: Config = Config::new()
        .class(Class::Small, 320, 500)
        .class(Class::Medium, 65_600, 40)
        .class(Class::XLarge, 3_110_400, 12)
        .hold_back(Class::Small, 0, 0)
        .hold_back(Class::Medium, 0, 0);
    static POOL: PoolAlloc = PoolAlloc::with_config(ODD);
    use_all(&POOL);
    let all = POOL.residency();
    assert_eq!(all.resident_bytes, all.reserved_bytes);

    let (mut live, mut pages) = (Vec::new(), BTreeSet::new());
    for class in [Class::Small, Class::Medium, Class::XLarge] {
        let layout = layout(ODD.slot_bytes(class), 1);
        let blocks: Vec<_> = (0..ODD.slots(class) as u64).map(|id| Block::take(&POOL, layout, id)).collect();
        for block in blocks {
            let start = block.start.addr();
            // Pairs of neighbours stay live, with seven free slots between two pairs.
            if start / layout.size() % 9 < 2 {
                pages.extend(start / page_bytes()..(start + layout.size()).div_ceil(page_bytes()));
                live.push(block);
            } else {
                block.give();
            }
        }
    }
    let left = (pages.len() * page_bytes()) as u64;
    assert_eq!(POOL.trim() as u64, all.resident_bytes - left);
    assert_eq!(POOL.residency().resident_bytes, left);
    live.iter().for_each(Block::check);
    assert_eq!(POOL.trim(), 0);
    live.into_iter().for_each(Block::give);
    assert_eq!(POOL.trim() as u64, left);
    assert_eq!(POOL.residency().resident_bytes, 0);
}

#[test]
fn locked_pages_stay_and_their_slots_are_cleared_when_they_come_back() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    use_all(&POOL);
    POOL.trim();
    let large = layout(256 << 10, 1);
    let block = Block::take(&POOL, large, 1);
    let start = block.start;
    // SAFETY: within the block, between the stamps at its ends.
    unsafe { start.add(16).write_bytes(0xAA, large.size() - 32) };
    block.give();
    // SAFETY: leaves every byte as it is.
    let failed = unsafe { libc::mlock(start.cast(), page_bytes()) };
    if failed != 0 {
        return println!("not tested: {}", Error::last_os_error());
    }
    assert_eq!(POOL.trim(), 0);
    assert!(kernel::is_resident(&(start.expose_provenance()..start.addr() + page_bytes())));
    let zeroed = |expected| {
        // SAFETY: read within its size, freed as it was allocated.
        unsafe {
            let before = POOL.stats();
            let ptr = POOL.alloc_zeroed(large);
            assert_eq!(ptr, start);
            assert!(std::slice::from_raw_parts(ptr, large.size()).iter().all(|&byte| byte == 0));
            POOL.dealloc(ptr, large);
            let stats = POOL.stats().since(&before);
            assert_eq!((stats.memsets_skipped(), stats.memsets_done()), expected);
        }
    };
    zeroed((0, 1));
    // SAFETY: as above.
    assert_eq!(unsafe { libc::munlock(start.cast(), page_bytes()) }, 0);
    assert_eq!(POOL.trim(), large.size());
    zeroed((1, 0));
}

#[test]
fn memory_that_prewarm_made_resident_goes_back_although_it_was_never_used() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let all = SMALLER.reserved_bytes();
    for _ in 0..2 {
        assert_eq!(POOL.prewarm().resident_bytes, all as u64);
        let block = Block::take(&POOL, whole(Class::XLarge), 1);
        assert_eq!(POOL.trim(), all - (2 << 20));
        block.give();
        assert_eq!(POOL.trim(), 2 << 20);
        assert_eq!(POOL.residency().resident_bytes, 0);
    }
    for class in Class::ALL {
        // SAFETY: not empty; freed as it was allocated.
        unsafe { POOL.dealloc(POOL.alloc_zeroed(whole(class)), whole(class)) };
    }
    assert_eq!(POOL.stats().memsets_skipped(), 4);
}

#[test]
fn of_what_prewarm_made_resident_a_later_trim_gives_back_what_was_locked_at_the_first() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let all = POOL.prewarm().resident_bytes;
    let block = Block::take(&POOL, whole(Class::Large), 1);
    let start = block.start;
    block.give();
    POOL.trim();
    assert_eq!(POOL.prewarm().resident_bytes, all);
    // SAFETY: leaves every byte as it is.
    if unsafe { libc::mlock(start.cast(), page_bytes()) } != 0 {
        return println!("not tested: {}", Error::last_os_error());
    }
    // A trim gives an eighth of a lane back in one call, so one locked page keeps all of that.
    assert_eq!(POOL.trim() as u64, all - MIB);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::munlock(start.cast(), page_bytes()) }, 0);
    assert_eq!(POOL.trim() as u64, MIB);
    assert_eq!(POOL.trim(), 0);
}

#[test]
fn what_slots_have_because_they_lie_in_a_neighbours_huge_page_goes_back() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER.huge_pages(true));
    for _ in 0..2 {
        for class in [Class::Medium, Class::Large, Class::XLarge] {
            Block::take(&POOL, whole(class), 1).give();
        }
        let before = POOL.residency();
        if before.huge_bytes == 0 {
            println!("not tested: no huge pages to be had: {before}");
        }
        assert_eq!(POOL.trim() as u64, before.resident_bytes);
        assert_eq!(POOL.residency().resident_bytes, 0);
    }
}

#[test]
fn a_slot_that_is_clean_costs_no_system_call() {
    /// A table without magazines, so that a trim needs no fence.
    const CONFIG: Config = SMALLER
        .magazine(Class::Small, 0)
        .magazine(Class::Medium, 0)
        .magazine(Class::Large, 0)
        .magazine(Class::XLarge, 0);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    /// Trims in a forked process, which the kernel kills for any system call but `read`, `write` and its own
    /// `exit`. Returns whether it was killed.
    fn is_killed_for_trimming() -> bool {
        // SAFETY: the child does what follows and nothing else, which needs none of its parent's other
        // threads.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: plain requests; the last ends the only thread of this process, and `_exit` is not
                // allowed.
                unsafe {
                    let failed = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT);
                    let code = if failed != 0 || POOL.trim() != 0 { 1 } else { 0 };
                    libc::syscall(libc::SYS_exit, code);
                }
                unreachable!("the process is over")
            }
            child => {
                let mut status = 0;
                // SAFETY: a child of this process, and a place for its status.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                assert!(status == 0 || libc::WIFSIGNALED(status), "{status:#x}");
                status != 0
            }
        }
    }
    if is_in_child(a_slot_that_is_clean_costs_no_system_call) {
        use_all(&POOL);
        assert!(is_killed_for_trimming());
        assert_eq!(POOL.trim(), CONFIG.reserved_bytes());
        assert!(!is_killed_for_trimming());
    }
}

#[test]
fn a_refused_trim_gives_nothing_loses_nothing_and_leaves_errno_as_it_was() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    if is_in_child(a_refused_trim_gives_nothing_loses_nothing_and_leaves_errno_as_it_was) {
        use_all(&POOL);
        inject_failure(libc::SYS_madvise, Some((2, libc::MADV_DONTNEED as u32)), libc::EACCES);
        let layout = whole(Class::Large);
        // SAFETY: the first fails on purpose; the block is read within its size, and freed as it was
        // allocated.
        unsafe {
            libc::close(-1);
            let trimmed = POOL.trim();
            assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EBADF));
            assert_eq!(trimmed, 0);
            let ptr = POOL.alloc_zeroed(layout);
            assert!(std::slice::from_raw_parts(ptr, layout.size()).iter().all(|&byte| byte == 0));
            POOL.dealloc(ptr, layout);
        }
        assert_eq!((POOL.stats().memsets_skipped(), POOL.stats().memsets_done()), (0, 1));
        assert_eq!(POOL.residency().resident_bytes, SMALLER.reserved_bytes() as u64);
    }
}

/// Plays a system that answers 0 to a call that it ignores, as an emulator, a library operating system or a
/// filter of system calls may.
#[test]
fn a_trim_that_the_system_only_says_it_did_makes_no_slot_clean_and_gives_nothing() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    if is_in_child(a_trim_that_the_system_only_says_it_did_makes_no_slot_clean_and_gives_nothing) {
        use_all(&POOL);
        // The first trim does succeed, so its result says nothing about the next one.
        assert_eq!(POOL.trim(), SMALLER.reserved_bytes());
        use_all(&POOL);
        inject_failure(libc::SYS_madvise, Some((2, libc::MADV_DONTNEED as u32)), 0);
        let before = POOL.stats();
        assert_eq!(POOL.trim(), 0);
        assert_eq!(POOL.residency().resident_bytes, SMALLER.reserved_bytes() as u64);
        for class in Class::ALL {
            let layout = layout(SMALLER.slot_bytes(class), 1);
            // SAFETY: not empty; read within its size, freed as it was allocated.
            unsafe {
                let starts: Vec<_> = (0..SMALLER.slots(class)).map(|_| POOL.alloc_zeroed(layout)).collect();
                for start in starts {
                    let bytes = std::slice::from_raw_parts(start, layout.size());
                    assert!(bytes.iter().all(|&byte| byte == 0), "{class}");
                    POOL.dealloc(start, layout);
                }
            }
        }
        assert_eq!(POOL.stats().since(&before).memsets_skipped(), 0);
    }
}

#[test]
fn slots_that_were_cleared_when_they_were_freed_go_back_too() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER.zero_on_free(true));
    if is_in_child(slots_that_were_cleared_when_they_were_freed_go_back_too) {
        use_all(&POOL);
        assert_eq!(POOL.trim(), SMALLER.reserved_bytes());
        assert_eq!(POOL.residency().resident_bytes, 0);
        assert_eq!(POOL.trim(), 0);
    }
}

#[test]
fn the_child_of_a_fork_trims_its_own_memory_and_leaves_its_parents_alone() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let block = Block::take(&POOL, whole(Class::XLarge), 7);
    use_one(&POOL);
    // SAFETY: the child only trims and reads a block, which needs none of its parent's other threads.
    match unsafe { libc::fork() } {
        0 => {
            let trimmed = POOL.trim();
            block.check();
            // SAFETY: ends this process, and runs nothing of the test harness.
            unsafe { libc::_exit(i32::from(trimmed != 2 << 20)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: a child of this process, and a place for its status.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0);
        }
    }
    block.give();
    assert!(POOL.trim() > 2 << 20);
}

/// Writes all of one XLarge slot, and gives it back.
fn use_one(pool: &PoolAlloc) {
    let block = Block::take(pool, whole(Class::XLarge), 8);
    // SAFETY: within the block, between the stamps at its ends.
    unsafe { block.start.add(16).write_bytes(0xAA, block.layout.size() - 32) };
    block.give();
}
