//! P8: there is no metadata in or beside a slot, and inaccessible pages stand before, between and after the
//! slabs.
//!
//! Pools reserved through the fallback have no guard pages, so the tests of these pages are compiled out
//! there.

mod common;

use std::alloc::GlobalAlloc;

use common::Block;
use framepool::{Class, PoolAlloc};

/// Takes every slot of `class`, and returns them with the lowest address first.
fn take_all(pool: &'static PoolAlloc, class: Class) -> Vec<Block<'static, PoolAlloc>> {
    let stats = pool.stats().class(class);
    let whole = common::layout(stats.slot_bytes as usize, 1);
    let mut blocks: Vec<_> = (0..stats.slots).map(|id| Block::take(pool, whole, id)).collect();
    blocks.sort_unstable_by_key(|block| block.start);
    assert!(blocks.iter().all(|block| pool.owns(block.start)), "a slot of {class} is missing");
    assert!(blocks.is_sorted_by(|a, b| a.start < b.start), "a slot of {class} has two owners");
    blocks
}

#[test]
fn writing_over_all_slots_and_their_neighbours_live_or_freed_damages_nothing() {
    static POOL: PoolAlloc = PoolAlloc::new();
    for class in Class::ALL {
        let blocks = take_all(&POOL, class);
        let bytes = blocks[0].layout.size();
        let (first, end) = (blocks[0].start, blocks[blocks.len() - 1].start.wrapping_add(bytes));
        let reach = bytes.min(4096);
        // Writes as code does that runs over the end of a block, or off the start of the next.
        let scribble = |byte: u8| {
            for edge in blocks.iter().map(|block| block.start).chain([end]) {
                let (from, to) = (edge.wrapping_sub(reach).max(first), edge.wrapping_add(reach).min(end));
                // SAFETY: inside the slots, all of which belong to this test.
                unsafe { from.write_bytes(byte, to.addr() - from.addr()) };
            }
        };
        scribble(0xFF);
        for block in &blocks {
            // SAFETY: a live block, freed once.
            unsafe { POOL.dealloc(block.start, block.layout) };
        }
        scribble(0x00);
        let half = take_all(&POOL, class).split_off(blocks.len() / 2);
        for block in half {
            block.give();
        }
        scribble(0xFF);

        let stats = POOL.stats().class(class);
        assert_eq!(stats.in_use, stats.slots / 2);
        assert_eq!(stats.in_use, stats.hits - stats.returns);
        assert_eq!((stats.hits, stats.misses), (2 * stats.slots, 0));
        // `peak` is short of the truth by one magazine at most.
        assert!(stats.peak <= stats.slots && stats.peak + 32 >= stats.slots, "{stats:?}");
    }
    assert_eq!(POOL.stats().fallbacks(), 0);
}

#[cfg(all(any(unix, windows), not(framepool_os = "none")))]
mod pages {
    use framepool::Config;

    use super::*;

    static POOL: PoolAlloc = PoolAlloc::new();
    /// A table with slots that are no multiples of a page, in slabs that end in the middle of a page.
    static ODD: PoolAlloc = PoolAlloc::with_config(
        Config::new().class(Class::Small, 320, 77).class(Class::Medium, 9_920, 33).class(
            Class::XLarge,
            3_110_400,
            5,
        ),
    );

    /// Returns the bytes of a page. The smallest guard is 64 KiB.
    fn page_bytes() -> usize {
        #[cfg(unix)]
        // SAFETY: a query that takes no pointer.
        return unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize };
        #[cfg(windows)]
        return 4096;
    }

    /// Has a fault end this process at once, without a window and without a debugger.
    #[cfg(windows)]
    fn show_no_window() {
        #[link(name = "kernel32")]
        unsafe extern "system" {
            fn SetErrorMode(mode: u32) -> u32;
        }
        const NO_FAULT_BOX: u32 = 2;
        // SAFETY: the call takes a number.
        unsafe { SetErrorMode(NO_FAULT_BOX) };
    }

    /// Whether a process was ended because of a fault.
    fn has_faulted(status: std::process::ExitStatus) -> bool {
        #[cfg(unix)]
        return std::os::unix::process::ExitStatusExt::signal(&status) == Some(libc::SIGSEGV);
        // STATUS_ACCESS_VIOLATION.
        #[cfg(windows)]
        return status.code() == Some(0xC000_0005_u32.cast_signed());
    }

    /// Returns the slab's first byte, and the one after its last page.
    fn slab(pool: &'static PoolAlloc, class: Class) -> (*mut u8, *mut u8) {
        let blocks = take_all(pool, class);
        let (first, last) = (blocks[0].start, &blocks[blocks.len() - 1]);
        let end = last.start.addr() + last.layout.size();
        (first, first.with_addr(end.next_multiple_of(page_bytes())))
    }

    #[test]
    fn one_byte_past_the_last_page_of_a_slab_or_before_its_first_faults() {
        for (table, pool) in [("default", &POOL), ("odd", &ODD)] {
            for class in Class::ALL {
                for end in ["before", "after"] {
                    let name = format!("{table} {class} {end}");
                    match common::case() {
                        Some(case) if case == name => poke(pool, class, end),
                        Some(_) => {}
                        None => {
                            let test = one_byte_past_the_last_page_of_a_slab_or_before_its_first_faults;
                            let output = common::run(common::child(test, &name));
                            let stdout = String::from_utf8_lossy(&output.stdout);
                            assert!(stdout.contains("inside is fine"), "{name}: {stdout}");
                            assert!(has_faulted(output.status), "{name}: {}", output.status);
                        }
                    }
                }
            }
        }
    }

    fn poke(pool: &'static PoolAlloc, class: Class, end: &str) {
        let (first, after) = slab(pool, class);
        // SAFETY: the first byte of the first slot, and the last byte of the last slot's last page.
        unsafe {
            first.write_volatile(1);
            after.sub(1).write_volatile(1);
        }
        println!("inside is fine");
        #[cfg(windows)]
        show_no_window();
        let outside = if end == "before" { first.wrapping_sub(1) } else { after };
        // SAFETY: none, on purpose: this has to fault.
        unsafe { outside.write_volatile(1) };
    }

    /// Each slab is exactly one readable and writable mapping, between two inaccessible ones of at least
    /// 64 KiB.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_shows_guards_before_between_and_after_the_slabs() {
        static POOL: PoolAlloc = PoolAlloc::new();
        let slabs = Class::ALL.map(|class| slab(&POOL, class));
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mappings: Vec<_> = maps.lines().map(mapping).collect();
        for (class, (first, after)) in Class::ALL.into_iter().zip(slabs) {
            let at = mappings.iter().position(|mapping| mapping.0 == first.addr());
            let at = at.unwrap_or_else(|| panic!("{class} does not start a mapping\n{maps}"));
            assert_eq!(mappings[at], (first.addr(), after.addr(), "rw-p"), "{class}\n{maps}");
            let (before, behind) = (mappings[at - 1], mappings[at + 1]);
            assert_eq!((before.1, before.2), (first.addr(), "---p"), "before {class}\n{maps}");
            assert_eq!((behind.0, behind.2), (after.addr(), "---p"), "after {class}\n{maps}");
            assert!(before.1 - before.0 >= 64 << 10 && behind.1 - behind.0 >= 64 << 10, "{class}\n{maps}");
        }
    }

    /// Returns the start, end and protection of a line's mapping.
    #[cfg(target_os = "linux")]
    fn mapping(line: &str) -> (usize, usize, &str) {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let address = |text| usize::from_str_radix(text, 16).unwrap();
        (address(start), address(end), &rest[..4])
    }
}
