//! P10: a program under limits, set from outside or by itself, never crashes, and the statistics show what
//! happened.
//!
//! `no_memory.rs` tests limits on address space and data, `residency_denied.rs` those on locked memory.
//! `src/pool_alloc/tests.rs` lets each single system call fail.

#![cfg(all(target_os = "linux", not(framepool_os = "none")))]

mod common;
#[path = "common/kernel.rs"]
mod kernel;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use common::{Block, child, run_to_success, use_every_class, whole};
use framepool::{Class, Config, Limit, MemoryOption, PoolAlloc, Reservation};
use kernel::{inject_failure, limit, may_lock_anything};

const MIB: u64 = 1 << 20;

fn lock_all_that_comes() {
    // SAFETY: a request that changes no byte.
    assert_eq!(unsafe { libc::mlockall(libc::MCL_FUTURE) }, 0, "{}", std::io::Error::last_os_error());
}

/// All memory that is mapped from then on counts as locked, touched or not.
#[test]
fn where_all_that_comes_is_locked_and_the_limit_is_below_the_pools_everything_goes_to_the_fallback() {
    static POOL: PoolAlloc = PoolAlloc::new();
    if common::case().is_none() {
        let test =
            where_all_that_comes_is_locked_and_the_limit_is_below_the_pools_everything_goes_to_the_fallback;
        let mut command = child(test, "locked");
        limit(&mut command, libc::RLIMIT_MEMLOCK as _, 8 * MIB);
        return run_to_success(command);
    }
    if may_lock_anything() {
        return println!("not tested: this process keeps the right to lock memory regardless of the limit");
    }
    lock_all_that_comes();
    let blocks = Class::ALL.map(|class| Block::take(&POOL, whole(class), 1));
    assert!(blocks.iter().all(|block| !POOL.owns(block.start)));
    blocks.into_iter().for_each(Block::give);
    assert_eq!(
        (POOL.stats().reservation(), POOL.stats().hits()),
        (Reservation::Failed(Some(Limit::LockedMemory)), 0)
    );
    assert_eq!((POOL.trim(), POOL.prewarm().reserved_bytes), (0, 0));
}

/// The program asked the system for this: all slots have memory, and keep it.
#[test]
fn where_all_that_comes_is_locked_without_a_limit_the_slots_are() {
    const CONFIG: Config = Config::new().class(Class::XLarge, 2 << 20, 8);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    if common::case().is_none() {
        let test = where_all_that_comes_is_locked_without_a_limit_the_slots_are;
        return run_to_success(child(test, "locked"));
    }
    if !may_lock_anything() {
        return println!("not tested: this process may not lock memory");
    }
    lock_all_that_comes();
    use_every_class(&POOL, 1);
    let residency = POOL.residency();
    let all = CONFIG.reserved_bytes() as u64;
    assert_eq!((residency.locked_bytes, residency.resident_bytes), (all, all), "{residency}");
    assert!(residency.denied(MemoryOption::Lock).is_none());
    // Locked pages cannot be given back.
    assert_eq!(POOL.trim(), 0);
    use_every_class(&POOL, 2);
    assert_eq!((POOL.stats().fallbacks(), POOL.stats().hits()), (0, 16));
}

/// A group of processes with a limit on their memory (a cgroup).
struct Group(PathBuf);

impl Group {
    /// Makes a group that may have `bytes` of memory. Returns `None` if this process may not make one.
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("framepool-test-{}", std::process::id());
        let (second, first) =
            (Path::new("/sys/fs/cgroup").join(&name), Path::new("/sys/fs/cgroup/memory").join(&name));
        for (path, file) in [(first, "memory.limit_in_bytes"), (second, "memory.max")] {
            if fs::create_dir(&path).is_ok() {
                let group = Self(path);
                if fs::write(group.0.join(file), bytes.to_string()).is_ok() {
                    return Some(group);
                }
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // If a process is still in the group, it stays.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The address space of the pools is three times the group's memory. Slots that are not touched cost nothing,
/// and a trim gives back those that were.
#[test]
fn in_a_group_with_less_memory_than_the_pools_have_slots_what_is_touched_counts() {
    static POOL: PoolAlloc = PoolAlloc::new();
    if common::case().is_none() {
        let Some(group) = Group::new(48 * MIB) else {
            return println!("not tested: this process may not make a memory cgroup");
        };
        let mut command =
            child(in_a_group_with_less_memory_than_the_pools_have_slots_what_is_touched_counts, "group");
        let members = group.0.join("cgroup.procs");
        // SAFETY: only system calls run between fork and exec. The path is short enough to be copied to the
        // stack. 0 stands for the calling process.
        unsafe { command.pre_exec(move || fs::write(&members, "0")) };
        return run_to_success(command);
    }
    let take = |first: u64| {
        (first..first + 8).map(|id| Block::take(&POOL, whole(Class::XLarge), id)).collect::<Vec<_>>()
    };
    let fill = |block: &Block<'_, PoolAlloc>| {
        // The stamps at both ends stay.
        // SAFETY: inside the block.
        unsafe { block.start.add(16).write_bytes(1, block.layout.size() - 32) };
    };
    // Each round fills 16 MiB of other slots, and trims. If any of that memory stayed, it would exceed the
    // group's limit.
    let mut held = take(0);
    for round in 1..8 {
        let others = take(8 * round);
        held.iter().chain(&others).for_each(fill);
        held.into_iter().for_each(Block::give);
        held = others;
        assert!(POOL.trim() >= 16 << 20);
    }
    held.into_iter().for_each(Block::give);
    assert_eq!((POOL.stats().fallbacks(), POOL.stats().hits()), (0, 64));
}

/// A program may install such a filter after its start. From then on, slots that other threads have cached
/// cannot be reclaimed.
#[test]
fn without_membarrier_from_some_moment_on_nothing_breaks_and_misses_are_counted() {
    static POOL: PoolAlloc = PoolAlloc::new();
    if common::case().is_none() {
        let test = without_membarrier_from_some_moment_on_nothing_breaks_and_misses_are_counted;
        return run_to_success(child(test, "filter"));
    }
    let small = whole(Class::Small);
    let (cached, done) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            (0..2)
                .map(|id| Block::take(&POOL, small, id))
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(Block::give);
            cached.wait();
            done.wait();
        });
        cached.wait();
        // The filter is for this thread only.
        inject_failure(libc::SYS_membarrier, None, libc::EPERM);
        let blocks: Vec<_> = (0..1024).map(|id| Block::take(&POOL, small, id)).collect();
        let misses = blocks.iter().filter(|block| !POOL.owns(block.start)).count() as u64;
        assert!((1..=32).contains(&misses), "{misses} misses");
        assert_eq!(POOL.stats().misses(), misses);
        blocks.into_iter().for_each(Block::give);
        POOL.trim();
        use_every_class(&POOL, 1);
        done.wait();
        // Waits for the thread's exit, which empties its magazines.
        other.join().unwrap();
    });
    let stats = POOL.stats();
    assert_eq!(stats.hits(), stats.returns());
    // The thread's exit gave its slots back.
    let blocks: Vec<_> = (0..1024).map(|id| Block::take(&POOL, small, id)).collect();
    assert!(blocks.iter().all(|block| POOL.owns(block.start)));
    blocks.into_iter().for_each(Block::give);
}
