//! P10 and P13: if the system denies something, nothing is lost. The report says what was denied and why.
//!
//! A test of a denial runs in a child process that has a limit, or a filter of system calls as a container
//! may have.

#![cfg(all(target_os = "linux", not(framepool_os = "none")))]

mod common;
#[path = "common/kernel.rs"]
mod kernel;

use std::alloc::GlobalAlloc;
use std::io::Error;
use std::sync::atomic::AtomicBool;
use std::thread;

use common::{Block, DoneWhenDropped, child, run_to_success, whole, write_until};
use framepool::{Class, Config, Limit, MemoryOption, PoolAlloc, Reservation, Residency};
use kernel::{Mapping, inject_failure, is_resident, limit, slabs};

const MADV_HUGEPAGE: u32 = libc::MADV_HUGEPAGE as u32;
const MADV_POPULATE_WRITE: u32 = 23;

/// Returns the condition for a filter that the third argument of `madvise` is this advice.
fn advice(advice: u32) -> Option<(u32, u32)> {
    Some((2, advice))
}

fn code(residency: &Residency, request: MemoryOption) -> Option<i32> {
    residency.denied(request).map(|error| error.raw_os_error().unwrap())
}

/// Runs the calling test once more, in a child process. Returns `true` in the child.
fn is_in_child(test: impl Fn()) -> bool {
    let is_child = common::case().is_some();
    if !is_child {
        run_to_success(child(test, "denied"));
    }
    is_child
}

/// Runs the calling test once more, in a child process with a limit. Returns `true` in the child, unless it
/// may exceed the limit.
fn is_within(test: impl Fn(), resource: libc::c_int, bytes: u64) -> bool {
    let is_child = common::case().is_some();
    if !is_child {
        let mut command = child(test, "limited");
        limit(&mut command, resource, bytes);
        run_to_success(command);
    } else if kernel::may_lock_anything() {
        println!("not tested: this process keeps the right to lock memory whatever the limit");
        return false;
    }
    is_child
}

const MIB: u64 = 1 << 20;
/// A table for tests that lock or write all of it.
const SMALLER: Config = Config::new().class(Class::XLarge, 2 << 20, 16);

fn all_bytes() -> u64 {
    Config::new().reserved_bytes() as u64
}

#[test]
fn without_the_right_to_lock_nothing_is_locked_and_everything_else_is_as_asked() {
    static POOL: PoolAlloc = PoolAlloc::with_config(Config::new().lock_memory(true));
    let test = without_the_right_to_lock_nothing_is_locked_and_everything_else_is_as_asked;
    if is_within(test, libc::RLIMIT_MEMLOCK as _, 0) {
        let residency = POOL.prewarm();
        assert_eq!(code(&residency, MemoryOption::Lock), Some(libc::EPERM));
        assert_eq!((residency.locked_bytes, residency.resident_bytes), (0, all_bytes()));
        let text = residency.to_string();
        assert!(text.contains("\nDenied: locked memory: Operation not permitted"), "{text}");
        Block::take(&POOL, whole(Class::XLarge), 1).give();
        assert_eq!(POOL.stats().fallbacks(), 0);
    }
}

#[test]
fn as_much_as_the_limit_allows_is_locked_the_small_classes_and_the_lowest_slots_first() {
    static POOL: PoolAlloc = PoolAlloc::with_config(Config::new().lock_memory(true));
    let test = as_much_as_the_limit_allows_is_locked_the_small_classes_and_the_lowest_slots_first;
    if is_within(test, libc::RLIMIT_MEMLOCK as _, 8 * MIB) {
        // Untouched slots cost nothing, locked or not.
        Block::take(&POOL, whole(Class::Small), 1).give();
        let start = POOL.residency();
        assert_eq!(code(&start, MemoryOption::Lock), Some(libc::ENOMEM));
        assert!(start.locked_bytes <= 64 << 10 && start.resident_bytes <= 64 << 10, "{start}");

        let residency = POOL.prewarm();
        assert_eq!(code(&residency, MemoryOption::Lock), Some(libc::ENOMEM));
        // 1 MiB of Small, 4 MiB of Medium, and 12 slots (3 MiB) of Large.
        assert_eq!((residency.locked_bytes, residency.resident_bytes), (8 * MIB, all_bytes()));
        let [small, medium, large, xlarge] = slabs(&POOL);
        assert!(small.has("lo") && medium.has("lo") && large.has("lo") && !xlarge.has("lo"));
        assert_eq!(large.range.len(), 3 << 20);
    }
}

#[test]
fn with_the_right_to_lock_all_slots_are_locked_and_a_forked_child_asks_anew() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER.lock_memory(true).prefault(true));
    Block::take(&POOL, whole(Class::Small), 1).give();
    let residency = POOL.residency();
    if code(&residency, MemoryOption::Lock).is_some() {
        return println!("not tested: {residency}");
    }
    let all = SMALLER.reserved_bytes() as u64;
    assert_eq!((residency.locked_bytes, residency.resident_bytes), (all, all));
    // `VmLck` counts all locked pages. `Locked` in `smaps` counts only a share of those that the child of
    // another test has, too.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    assert!(locked.trim_end_matches("kB").trim().parse::<u64>().unwrap() >= all >> 10, "{locked}");
    // SAFETY: the child only calls `residency` and `prewarm`, which need none of its parent's other threads.
    match unsafe { libc::fork() } {
        0 => {
            let (before, after) = (POOL.residency(), POOL.prewarm());
            let locked = before.locked_bytes == 0 && (after.locked_bytes, after.resident_bytes) == (all, all);
            // SAFETY: ends this process, and runs nothing of the test harness.
            unsafe { libc::_exit(i32::from(!locked)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: a child of this process, and a place for its status.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0);
        }
    }
    // The parent still has all of it.
    assert_eq!(POOL.residency().locked_bytes, all);
}

#[test]
fn where_a_kernel_has_no_call_for_it_pages_are_touched_and_no_byte_written_meanwhile_is_lost() {
    static POOL: PoolAlloc = PoolAlloc::new();
    static DROPPED: PoolAlloc = PoolAlloc::with_config(Config::new().prefault(true));
    if is_in_child(where_a_kernel_has_no_call_for_it_pages_are_touched_and_no_byte_written_meanwhile_is_lost)
    {
        inject_failure(libc::SYS_madvise, advice(MADV_POPULATE_WRITE), libc::EINVAL);
        let done = AtomicBool::new(false);
        // Reserves the pools first: while another thread does so, there is nothing to report.
        Block::take(&POOL, whole(Class::Small), 1).give();
        thread::scope(|scope| {
            let _done = DoneWhenDropped(&done);
            scope.spawn(|| write_until(&done, &POOL, 0));
            for _ in 0..20 {
                let residency = POOL.prewarm();
                assert_eq!(residency.resident_bytes, all_bytes());
                assert!(residency.denied(MemoryOption::Resident).is_none());
            }
        });
        assert!(slabs(&POOL).iter().all(|slab| is_resident(&slab.range)));
        Block::take(&DROPPED, whole(Class::Small), 1).give();
        assert_eq!(DROPPED.residency().resident_bytes, all_bytes());
    }
}

#[test]
fn where_there_is_no_memory_pages_are_not_touched_either() {
    static POOL: PoolAlloc = PoolAlloc::new();
    if is_in_child(where_there_is_no_memory_pages_are_not_touched_either) {
        inject_failure(libc::SYS_madvise, advice(MADV_POPULATE_WRITE), libc::ENOMEM);
        let residency = POOL.prewarm();
        assert_eq!(code(&residency, MemoryOption::Resident), Some(libc::ENOMEM));
        assert_eq!((residency.resident_bytes, residency.reserved_bytes), (0, all_bytes()));
        Block::take(&POOL, whole(Class::XLarge), 1).give();
    }
}

#[test]
fn refused_advice_is_reported_and_the_pools_serve_on() {
    static POOL: PoolAlloc =
        PoolAlloc::with_config(Config::new().huge_pages(true).core_dumps(false).prefault(true));
    if is_in_child(refused_advice_is_reported_and_the_pools_serve_on) {
        inject_failure(libc::SYS_madvise, advice(MADV_HUGEPAGE), libc::EINVAL);
        inject_failure(libc::SYS_madvise, advice(libc::MADV_DONTDUMP as u32), libc::EACCES);
        Block::take(&POOL, whole(Class::XLarge), 1).give();
        let residency = POOL.residency();
        assert_eq!(code(&residency, MemoryOption::HugePages), Some(libc::EINVAL));
        assert_eq!(code(&residency, MemoryOption::NoCoreDumps), Some(libc::EACCES));
        assert_eq!(code(&residency, MemoryOption::Resident), None);
        // A kernel that always makes huge pages needs no advice.
        let always = kernel::huge_pages_setting() == "always";
        let huge = if always { kernel::sum(&slabs(&POOL), "AnonHugePages") } else { 0 };
        assert_eq!((residency.resident_bytes, residency.huge_bytes), (all_bytes(), huge));
        assert_eq!(POOL.stats().fallbacks(), 0);
    }
}

#[test]
fn a_kernel_without_locking_on_first_use_locks_at_once() {
    static POOL: PoolAlloc = PoolAlloc::with_config(Config::new().lock_memory(true));
    if is_in_child(a_kernel_without_locking_on_first_use_locks_at_once) {
        inject_failure(libc::SYS_mlock2, None, libc::ENOSYS);
        Block::take(&POOL, whole(Class::Small), 1).give();
        let residency = POOL.residency();
        if code(&residency, MemoryOption::Lock).is_none() {
            assert_eq!(residency.locked_bytes, all_bytes());
        } else {
            println!("tested in part only: {residency}");
        }
        assert!(residency.locked_bytes > 0 || Some(libc::EPERM) == code(&residency, MemoryOption::Lock));
    }
}

#[test]
fn where_the_account_of_mappings_cannot_be_read_the_report_says_so_and_tells_what_is_resident() {
    static POOL: PoolAlloc = PoolAlloc::with_config(Config::new().huge_pages(true));
    if is_in_child(where_the_account_of_mappings_cannot_be_read_the_report_says_so_and_tells_what_is_resident)
    {
        let readable = POOL.prewarm();
        // musl makes the older call where there is one.
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        inject_failure(libc::SYS_open, None, libc::EACCES);
        inject_failure(libc::SYS_openat, None, libc::EACCES);
        let residency = POOL.residency();
        assert_eq!(code(&residency, MemoryOption::Figures), Some(libc::EACCES));
        assert_eq!((residency.huge_bytes, residency.locked_bytes), (0, 0));
        assert_eq!(residency.resident_bytes, readable.resident_bytes);
        assert_eq!(residency.reserved_bytes, all_bytes());
    }
}

/// A limit below the pools' 141 MiB, and above what the program needs besides.
const TOO_LITTLE: u64 = 96 << 20;

#[test]
fn without_a_reservation_there_is_nothing_to_warm_and_the_report_is_zeros() {
    static POOL: PoolAlloc =
        PoolAlloc::with_config(Config::new().huge_pages(true).lock_memory(true).prefault(true));
    let test = without_a_reservation_there_is_nothing_to_warm_and_the_report_is_zeros;
    if is_within(test, libc::RLIMIT_AS as _, TOO_LITTLE) {
        for residency in [POOL.prewarm(), POOL.prewarm(), POOL.residency()] {
            let Residency { reserved_bytes, resident_bytes, huge_bytes, locked_bytes, .. } = residency;
            assert_eq!((reserved_bytes, resident_bytes, huge_bytes, locked_bytes), (0, 0, 0, 0));
            assert!(MemoryOption::ALL.iter().all(|&request| !residency.requested(request)));
        }
        assert_eq!(POOL.stats().reservation(), Reservation::Failed(Some(Limit::AddressSpace)));
        Block::take(&POOL, whole(Class::XLarge), 1).give();
    }
}

#[test]
fn an_allocation_leaves_errno_as_it_was_whatever_start_up_is_refused() {
    static POOL: PoolAlloc =
        PoolAlloc::with_config(Config::new().lock_memory(true).huge_pages(true).prefault(true));
    if is_in_child(an_allocation_leaves_errno_as_it_was_whatever_start_up_is_refused) {
        for number in [libc::SYS_madvise, libc::SYS_mlock, libc::SYS_mlock2, libc::SYS_prctl] {
            inject_failure(number, None, libc::EACCES);
        }
        let layout = whole(Class::Large);
        // SAFETY: `close` fails on purpose; the block is freed as it was allocated.
        let error = unsafe {
            libc::close(-1);
            let ptr = POOL.alloc(layout);
            let error = Error::last_os_error();
            POOL.dealloc(ptr, layout);
            error
        };
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert_eq!(code(&POOL.residency(), MemoryOption::Lock), Some(libc::EACCES));
        assert!(POOL.owns(Mapping::of(Block::take(&POOL, layout, 1).start).range.start as *const u8));
    }
}
