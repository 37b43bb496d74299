//! P13: the memory options take effect, and the figures in the report are the kernel's.

#![cfg(all(target_os = "linux", not(framepool_os = "none")))]

mod common;
#[path = "common/kernel.rs"]
mod kernel;

use std::alloc::GlobalAlloc;
use std::ffi::CStr;
use std::sync::atomic::AtomicBool;
use std::thread;

use common::{Block, DoneWhenDropped, whole, write_until};
use framepool::{Class, Config, MemoryOption, PoolAlloc, Reservation};
use kernel::{Mapping, faults, is_resident, page_bytes, slabs, sum};

/// A table smaller than the default, because these tests use all of it, several of them at the same time.
const SMALLER: Config = Config::new().class(Class::XLarge, 2 << 20, 16);

#[test]
fn prewarm_makes_every_page_of_every_slot_resident_and_reports_what_the_kernel_says() {
    static POOL: PoolAlloc = PoolAlloc::new();
    let residency = POOL.prewarm();
    assert_eq!(POOL.stats().reservation(), Reservation::Ready);
    let slabs = slabs(&POOL);
    assert!(slabs.iter().all(|slab| is_resident(&slab.range)));
    assert_eq!(residency.reserved_bytes, Config::new().reserved_bytes() as u64);
    assert_eq!(residency.resident_bytes, residency.reserved_bytes);
    assert_eq!(residency.resident_bytes, sum(&slabs, "Rss"));
    assert_eq!((residency.huge_bytes, residency.locked_bytes), (0, 0));
    assert!(!residency.elapsed.is_zero());
    for &request in MemoryOption::ALL {
        let asked =
            [MemoryOption::SmallPages, MemoryOption::Resident, MemoryOption::Figures].contains(&request);
        assert_eq!(residency.requested(request), asked, "{request}");
        assert!(residency.denied(request).is_none(), "{residency}");
    }
}

#[test]
fn slots_of_odd_sizes_are_made_resident_to_their_last_byte() {
    static POOL: PoolAlloc = PoolAlloc::with_config(
        Config::new().class(Class::Small, 320, 77).class(Class::Medium, 9_920, 33).class(
            Class::XLarge,
            3_110_400,
            5,
        ),
    );
    let residency = POOL.prewarm();
    assert_eq!(residency.resident_bytes, residency.reserved_bytes);
    assert!(slabs(&POOL).iter().all(|slab| is_resident(&slab.range)));
    let rounded_up = residency.reserved_bytes - 5 * 3_110_400 - 33 * 9_920 - 77 * 320 - (8 << 20);
    assert!(rounded_up < 3 * page_bytes() as u64, "{residency:?}");
}

#[test]
fn after_prewarm_no_use_of_any_slot_faults() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    POOL.prewarm();
    // Claims a place and touches this thread's stack before the faults are counted.
    Block::take(&POOL, whole(Class::Small), 0).give();
    let before = faults();
    for class in Class::ALL {
        let layout = whole(class);
        for _ in 0..POOL.stats().class(class).slots {
            // SAFETY: written within its size; never freed, so that each is another slot.
            unsafe {
                let ptr = POOL.alloc(layout);
                (0..layout.size()).step_by(256).for_each(|offset| ptr.add(offset).write_volatile(1));
            }
        }
    }
    let faults = faults() - before;
    assert_eq!(POOL.stats().fallbacks(), 0);
    assert!(faults < 16, "{faults} page faults in 45 MiB");
}

#[test]
fn a_second_prewarm_finds_everything_there() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let count = || {
        let before = faults();
        (POOL.prewarm().resident_bytes, faults() - before)
    };
    let ((first_bytes, first), (second_bytes, second)) = (count(), count());
    assert_eq!(second_bytes, first_bytes);
    assert!(first as usize >= (44 << 20) / page_bytes() && second < 16, "{first}, then {second} faults");
}

#[test]
fn slots_stay_clean_and_zeroed_memory_needs_no_memset_after_prewarm() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let dirty = Block::take(&POOL, whole(Class::Large), u64::MAX);
    let dirty_start = dirty.start;
    dirty.give();
    POOL.prewarm();
    let zeroed = |class| {
        let layout = whole(class);
        // SAFETY: read within its size; never freed, so that each is another slot.
        unsafe {
            let ptr = POOL.alloc_zeroed(layout);
            let bytes = std::slice::from_raw_parts(ptr, layout.size());
            assert!(bytes.iter().all(|&byte| byte == 0), "{class}");
            ptr
        }
    };
    assert_eq!(zeroed(Class::Large), dirty_start);
    let mut clean = 0;
    for class in Class::ALL {
        let free = POOL.stats().class(class).slots - POOL.stats().class(class).in_use;
        (0..free).for_each(|_| _ = zeroed(class));
        clean += free;
    }
    assert_eq!((POOL.stats().memsets_skipped(), POOL.stats().memsets_done()), (clean, 1));
}

#[test]
fn prewarm_loses_no_byte_that_threads_write_meanwhile() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let done = AtomicBool::new(false);
    // Reserves the pools first: while another thread does so, there is nothing to report.
    POOL.prewarm();
    thread::scope(|scope| {
        let _done = DoneWhenDropped(&done);
        scope.spawn(|| write_until(&done, &POOL, 0));
        scope.spawn(|| write_until(&done, &POOL, 1 << 40));
        for _ in 0..20 {
            assert_eq!(POOL.prewarm().resident_bytes, SMALLER.reserved_bytes() as u64);
        }
    });
}

#[test]
fn a_report_touches_nothing_and_reserves_nothing() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    let none = POOL.residency();
    assert_eq!((none.reserved_bytes, none.resident_bytes), (0, 0));
    assert_eq!(POOL.stats().reservation(), Reservation::Pending);

    let layout = whole(Class::XLarge);
    // SAFETY: written within its size, freed as it was allocated.
    unsafe {
        let ptr = POOL.alloc(layout);
        assert_eq!(POOL.residency().resident_bytes, 0);
        ptr.write_bytes(1, layout.size());
        POOL.dealloc(ptr, layout);
    }
    let one = POOL.residency();
    assert_eq!((one.resident_bytes, one.locked_bytes), (2 << 20, 0));
    assert!(!one.requested(MemoryOption::Resident) && one.requested(MemoryOption::SmallPages));
}

#[test]
fn slots_are_resident_from_the_first_allocation_on_if_that_is_asked_for() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER.prefault(true));
    Block::take(&POOL, whole(Class::Small), 1).give();
    let residency = POOL.residency();
    assert_eq!(residency.resident_bytes, SMALLER.reserved_bytes() as u64);
    assert!(residency.requested(MemoryOption::Resident));
    assert!(slabs(&POOL).iter().all(|slab| is_resident(&slab.range)));
}

#[test]
fn huge_pages_are_used_where_they_are_asked_for() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER.huge_pages(true));
    let residency = POOL.prewarm();
    let slabs = slabs(&POOL);
    assert!(slabs.iter().all(|slab| slab.has("hg") && !slab.has("nh")));
    assert_eq!(residency.huge_bytes, sum(&slabs, "AnonHugePages"));
    assert_eq!(residency.resident_bytes, residency.reserved_bytes);
    assert!(residency.requested(MemoryOption::HugePages) && !residency.requested(MemoryOption::SmallPages));
    if kernel::huge_pages_setting() == "never" {
        assert_eq!(residency.huge_bytes, 0);
        println!("not tested: huge pages are set to never");
    } else {
        assert!(residency.huge_bytes >= 16 << 20, "of 32 MiB of XLarge: {residency}");
    }
}

#[test]
fn huge_pages_are_declined_where_they_are_not_asked_for() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    POOL.prewarm();
    for slab in slabs(&POOL) {
        assert!(slab.has("nh") && !slab.has("hg"), "{slab:?}");
        assert_eq!(slab.bytes("AnonHugePages"), 0);
    }
}

/// Start-up writes a page or two of the metadata. One huge page would make all of it resident.
#[test]
fn the_metadata_gets_no_huge_page_even_if_the_slots_do() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER.huge_pages(true));
    if common::case().is_none() {
        let test = the_metadata_gets_no_huge_page_even_if_the_slots_do;
        return common::run_to_success(common::child(test, "alone"));
    }
    let before = Mapping::all();
    Block::take(&POOL, whole(Class::Small), 1).give();
    let slabs = slabs(&POOL);
    let is_old = |found: &Mapping| before.iter().any(|old| old.range.contains(&found.range.start));
    let is_slab = |found: &Mapping| slabs.iter().any(|slab| slab.range == found.range);
    let mut new = Mapping::all();
    new.retain(|found| {
        found.has("wr") && found.range.len() >= 128 << 10 && !is_old(found) && !is_slab(found)
    });
    assert!(matches!(&new[..], [metadata] if metadata.has("nh") && !metadata.has("hg")), "{new:#?}");
}

#[test]
fn core_dumps_leave_the_slots_out_if_told_to() {
    static SHOWN: PoolAlloc = PoolAlloc::with_config(SMALLER);
    static LEFT_OUT: PoolAlloc = PoolAlloc::with_config(SMALLER.core_dumps(false));
    Block::take(&SHOWN, whole(Class::Small), 1).give();
    Block::take(&LEFT_OUT, whole(Class::Small), 1).give();
    assert!(slabs(&SHOWN).iter().all(|slab| !slab.has("dd")));
    assert!(slabs(&LEFT_OUT).iter().all(|slab| slab.has("dd")));
    assert!(LEFT_OUT.residency().requested(MemoryOption::NoCoreDumps));
}

#[test]
fn mappings_have_names_where_the_kernel_can() {
    static POOL: PoolAlloc = PoolAlloc::with_config(SMALLER);
    Block::take(&POOL, whole(Class::Small), 1).give();
    if !kernel_names_mappings(c"a name") {
        return println!("not tested: this kernel does not name mappings");
    }
    for slab in slabs(&POOL) {
        assert_eq!(slab.name(), Some("anon:framepool: slots"), "{slab:?}");
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.contains("[anon:framepool: metadata]"), "{maps}");
}

fn kernel_names_mappings(name: &CStr) -> bool {
    let (bytes, protection) = (page_bytes(), libc::PROT_READ);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a mapping of this function's own.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        let option = libc::PR_SET_VMA_ANON_NAME as libc::c_ulong;
        let failed = libc::prctl(libc::PR_SET_VMA, option, page, bytes, name.as_ptr());
        libc::munmap(page, bytes);
        failed == 0
    }
}
