//! Tests of this module from inside: memory that is touched while another thread writes to it, and memory
//! that is dropped.

use core::ptr::NonNull;
use std::alloc::System;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed, compiler_fence};

use super::*;

const PAGES: usize = 64;

/// Maps whole pages of zeroed memory, which are never unmapped.
fn memory() -> NonNull<[u8]> {
    let bytes = PAGES * page_bytes();
    map_zeroed(bytes, &System).unwrap().pages
}

/// Both threads work on one byte, again and again. So a touch that reads and writes in two steps is caught
/// between them.
#[test]
fn touching_loses_nothing_that_others_write_meanwhile() {
    let address = memory().cast::<u8>().as_ptr().expose_provenance();
    let start = || NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(address)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let page = NonNull::slice_from_raw_parts(start(), 1);
            while !done.load(Relaxed) {
                // SAFETY: the page is never unmapped.
                unsafe { touch::touch(page, page_bytes()) };
            }
        });
        // SAFETY: the page is never unmapped. The user of a slot writes plainly; here the write is atomic.
        let byte = unsafe { AtomicU8::from_ptr(start().as_ptr()) };
        let mut lost = 0;
        for round in 0..1_000_000_u32 {
            byte.store(round as u8, Relaxed);
            (0..round % 16).for_each(|_| core::hint::spin_loop());
            lost += u32::from(byte.load(Relaxed) != round as u8);
        }
        done.store(true, Relaxed);
        assert_eq!(lost, 0);
    });
}

/// Two threads store and then load what the other one stores. Without a fence on both sides, each may miss the other's
/// store, because a processor holds stores back. The thread that loads often has a compiler's fence only.
///
/// This is the test "store buffering" of the literature on weak memory. Without the fence in `fence_all`, 700 to 1,700 of
/// the rounds failed on two cores with Linux, and 8 and 104 of 20,000 in Wine.
#[test]
fn a_fence_reaches_the_other_threads() {
    const ROUNDS: u32 = 100_000;
    #[repr(align(128))]
    struct Line(AtomicU32);
    let [light, heavy, seen_by_light, go, done] = [const { Line(AtomicU32::new(0)) }; 5];
    if !can_fence_all() {
        return;
    }
    let wait_for = |line: &Line, round| {
        while line.0.load(std::sync::atomic::Ordering::Acquire) != round {
            core::hint::spin_loop();
        }
    };
    let signal = |line: &Line, round| line.0.store(round, std::sync::atomic::Ordering::Release);
    let missed = std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                wait_for(&go, round);
                light.0.store(round, Relaxed);
                compiler_fence(std::sync::atomic::Ordering::SeqCst);
                seen_by_light.0.store(heavy.0.load(Relaxed), Relaxed);
                signal(&done, round);
            }
        });
        let mut missed = 0;
        for round in 1..=ROUNDS {
            signal(&go, round);
            // So that both store at once in some rounds.
            (0..round % 32).for_each(|_| core::hint::spin_loop());
            heavy.0.store(round, Relaxed);
            compiler_fence(std::sync::atomic::Ordering::SeqCst);
            let is_fenced = fence_all();
            let seen_by_heavy = light.0.load(Relaxed);
            wait_for(&done, round);
            missed +=
                u32::from(is_fenced && seen_by_heavy != round && seen_by_light.0.load(Relaxed) != round);
        }
        missed
    });
    assert_eq!(missed, 0, "of {ROUNDS} rounds");
}

#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
#[test]
fn touched_pages_are_resident_and_keep_what_they_say() {
    // A mapping that merges with no neighbour, so that the kernel's account shows it alone.
    let guarded = reserve(1 << 20, 1 << 16, core::iter::once(1 << 16..1 << 19), &System).unwrap().base();
    // SAFETY: the offset lies inside the reservation.
    let start = unsafe { guarded.byte_add(1 << 16) };
    let pages = NonNull::slice_from_raw_parts(start, (1 << 19) - (1 << 16));
    // SAFETY: the pages are readable and writable, never unmapped, and known to this test alone.
    unsafe {
        start.byte_add(5).write(7);
        assert_eq!(
            page_figures(pages),
            (PageFigures { resident: page_bytes() as u64, huge: 0, locked: 0 }, Ok(()))
        );
        touch::touch(pages, page_bytes());
        assert_eq!(page_figures(pages).0.resident, pages.len() as u64);
        let all = core::slice::from_raw_parts(start.as_ptr(), pages.len());
        assert!(all.iter().enumerate().all(|(offset, &byte)| byte == if offset == 5 { 7 } else { 0 }));
    }
}

#[test]
fn discarded_memory_reads_as_zeros_if_the_backend_says_so() {
    let pages = memory();
    let bytes = page_bytes();
    // SAFETY: the pages are this test's own.
    unsafe {
        pages.cast::<u8>().write_bytes(0xAA, pages.len());
        let middle = NonNull::slice_from_raw_parts(pages.cast::<u8>().add(bytes), bytes);
        let outcome = discard(middle);
        assert_eq!(outcome.is_ok(), cfg!(all(any(unix, windows), not(framepool_os = "none"))));
        let expected = if DISCARD_LEAVES_ZEROS { 0 } else { 0xAA };
        let found = core::slice::from_raw_parts(pages.cast::<u8>().as_ptr(), pages.len());
        let stale = |page: usize| found[page * bytes..(page + 1) * bytes].iter().all(|&byte| byte == 0xAA);
        assert!(stale(0) && (2..PAGES).all(stale));
        // On Windows they may be zeros or not.
        let is_expected = found[bytes..2 * bytes].iter().all(|&byte| byte == expected);
        assert!(is_expected || outcome.is_ok() && !DISCARD_LEAVES_ZEROS);
    }
}
