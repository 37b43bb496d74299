//! P5: zeroed memory is zero. It costs a memset only if the slot was handed out since it was last known to be
//! zero.

mod common;

use std::alloc::GlobalAlloc;

use common::layout;
use framepool::{Class, Config, MemoryOption, PoolAlloc};

fn pool(config: Config) -> &'static PoolAlloc {
    Box::leak(Box::new(PoolAlloc::with_config(config)))
}

/// # Safety
///
/// `ptr` has `bytes` readable bytes.
unsafe fn is_all(byte: u8, ptr: *const u8, bytes: usize) -> bool {
    // SAFETY: the caller's contract.
    unsafe { std::slice::from_raw_parts(ptr, bytes) }.iter().all(|&found| found == byte)
}

#[test]
fn no_stale_byte_survives_in_any_class_at_any_size() {
    let pool = pool(Config::new());
    for class in Class::ALL {
        let slot_bytes = Config::new().slot_bytes(class);
        let smallest = if class == Class::Small {
            1
        } else {
            Config::new().slot_bytes(Class::ALL[class as usize - 1]) + 1
        };
        for size in [smallest, slot_bytes / 2 + 1, slot_bytes - 1, slot_bytes] {
            // SAFETY: each block is written and read within its size, and freed once.
            unsafe {
                let dirty = pool.alloc(layout(slot_bytes, 1));
                dirty.write_bytes(0xAA, slot_bytes);
                pool.dealloc(dirty, layout(slot_bytes, 1));
                let zeroed = pool.alloc_zeroed(layout(size, 1));
                if size >= slot_bytes / 4 {
                    assert_eq!(zeroed, dirty, "the test means to get the dirty slot back");
                }
                assert!(is_all(0, zeroed, size), "{size} bytes in {class}");
                zeroed.write_bytes(0xBB, size);
                pool.dealloc(zeroed, layout(size, 1));
            }
        }
    }
}

#[test]
fn a_slot_handed_out_but_never_written_counts_as_dirty() {
    let pool = pool(Config::new());
    // SAFETY: freed once each.
    unsafe {
        let ptr = pool.alloc(layout(100_000, 1));
        pool.dealloc(ptr, layout(100_000, 1));
        let ptr = pool.alloc_zeroed(layout(100_000, 1));
        pool.dealloc(ptr, layout(100_000, 1));
    }
    assert_eq!((pool.stats().memsets_skipped(), pool.stats().memsets_done()), (0, 1));
}

#[test]
fn a_slot_that_was_never_handed_out_is_not_cleared() {
    let pool = pool(Config::new());
    for class in Class::ALL {
        let layout = layout(Config::new().slot_bytes(class), 1);
        // SAFETY: read within its size; leaked on purpose, so that every slot is a fresh one.
        unsafe {
            for _ in 0..3 {
                let ptr = pool.alloc_zeroed(layout);
                #[cfg(all(target_os = "linux", not(framepool_os = "none")))]
                assert_eq!(resident_pages(ptr, layout.size()), 0, "{class}");
                assert!(is_all(0, ptr, layout.size()));
            }
        }
    }
    assert_eq!((pool.stats().memsets_skipped(), pool.stats().memsets_done()), (12, 0));
}

#[test]
fn prewarmed_slots_are_as_clean_as_untouched_ones_whatever_the_system_can_tell_of_them() {
    let pool = pool(Config::new().class(Class::XLarge, 2 << 20, 4));
    let residency = pool.prewarm();
    assert_eq!(residency.reserved_bytes, (1 + 4 + 8 + 8) << 20);
    match residency.denied(MemoryOption::Figures) {
        None => assert_eq!(residency.resident_bytes, residency.reserved_bytes),
        Some(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
    }
    for class in Class::ALL {
        let layout = layout(Config::new().slot_bytes(class), 1);
        // SAFETY: read within its size, freed as it was allocated.
        unsafe {
            let ptr = pool.alloc_zeroed(layout);
            assert!(is_all(0, ptr, layout.size()), "{class}");
            pool.dealloc(ptr, layout);
        }
    }
    assert_eq!((pool.stats().memsets_skipped(), pool.stats().memsets_done()), (4, 0));
}

#[test]
fn a_fallback_block_is_zeroed_by_the_fallback() {
    let pool = pool(Config::new());
    let layout = layout(3 << 20, 1);
    // SAFETY: read within its size, freed once.
    unsafe {
        let ptr = pool.alloc_zeroed(layout);
        assert!(is_all(0, ptr, layout.size()));
        pool.dealloc(ptr, layout);
    }
    assert_eq!(
        (pool.stats().memsets_skipped(), pool.stats().memsets_done(), pool.stats().bypasses()),
        (0, 0, 1)
    );
}

#[test]
fn zero_on_free_clears_the_whole_slot_and_saves_the_next_memset() {
    let pool = pool(Config::new().zero_on_free(true));
    for class in Class::ALL {
        let slot_bytes = Config::new().slot_bytes(class);
        // SAFETY: the slot is written and read within its size, known to the test; after the
        // free it is read again, in memory that is never unmapped and that no other thread uses.
        unsafe {
            let ptr = pool.alloc(layout(slot_bytes, 1));
            ptr.write_bytes(0xAA, slot_bytes);
            // A smaller layout frees the same block after a shrink in place.
            let ptr = pool.realloc(ptr, layout(slot_bytes, 1), slot_bytes / 2);
            pool.dealloc(ptr, layout(slot_bytes / 2, 1));
            assert!(is_all(0, ptr, slot_bytes), "{class}");
            let again = pool.alloc_zeroed(layout(slot_bytes, 1));
            assert_eq!(again, ptr);
            assert!(is_all(0, again, slot_bytes));
            pool.dealloc(again, layout(slot_bytes, 1));
        }
    }
    assert_eq!((pool.stats().memsets_skipped(), pool.stats().memsets_done()), (4, 0));
}

/// Returns the number of whole pages of a block that are resident.
#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
fn resident_pages(ptr: *mut u8, bytes: usize) -> usize {
    // SAFETY: asks for a figure.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    // Counts whole pages of the block only: its neighbours may have touched the others.
    let first = ptr.addr().next_multiple_of(page);
    let pages = (ptr.addr() + bytes).saturating_sub(first) / page;
    let mut resident = vec![0_u8; pages.max(1)];
    // SAFETY: a mapped, page-aligned range, and a byte for each of its pages.
    let failed = pages > 0
        && unsafe { libc::mincore(ptr.with_addr(first).cast(), pages * page, resident.as_mut_ptr()) } != 0;
    assert!(!failed, "{}", std::io::Error::last_os_error());
    resident.iter().filter(|&&page| page & 1 != 0).count()
}
