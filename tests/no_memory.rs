//! P10: without memory for the pools, the fallback serves every request. Without any memory, requests fail
//! and live blocks stay as they were.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use common::{Block, layout, whole};
use framepool::{Bypass, Class, Config, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

#[cfg(unix)]
mod limits {
    use std::os::unix::process::CommandExt;

    use framepool::{Limit, Reservation};

    use super::*;

    /// Runs a test in a child process, which is limited to `bytes` of `resource` from its first instruction
    /// on.
    fn run_within(test: impl Fn(), resource: libc::c_int, bytes: u64) {
        let mut child = common::child(test, "limited");
        let limit = libc::rlimit { rlim_cur: bytes as _, rlim_max: bytes as _ };
        let apply = move || {
            // SAFETY: a valid limit.
            let failed = unsafe { libc::setrlimit(resource as _, &limit) };
            if failed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: between fork and exec nothing but a system call.
        unsafe { child.pre_exec(apply) };
        common::run_to_success(child);
    }

    /// A limit below the pools' 141 MiB, and above what the program needs besides.
    const TOO_LITTLE: u64 = 96 << 20;

    #[test]
    fn with_too_little_address_space_everything_goes_to_the_fallback() {
        if common::case().is_none() {
            let test = with_too_little_address_space_everything_goes_to_the_fallback;
            return run_within(test, libc::RLIMIT_AS as _, TOO_LITTLE);
        }
        the_fallback_serves_everything(Limit::AddressSpace);
    }

    /// Linux counts private writable memory against this limit. So the reservation succeeds, and making its
    /// slabs writable fails.
    #[cfg(target_os = "linux")]
    #[test]
    fn with_too_little_data_space_everything_goes_to_the_fallback() {
        if common::case().is_none() {
            let test = with_too_little_data_space_everything_goes_to_the_fallback;
            return run_within(test, libc::RLIMIT_DATA as _, TOO_LITTLE);
        }
        the_fallback_serves_everything(Limit::Data);
        if cfg!(not(framepool_os = "none")) {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let largest = maps.lines().map(mapped_bytes).max().unwrap();
            assert!(largest < TOO_LITTLE, "what was reserved was not given back\n{maps}");
        }
    }

    fn mapped_bytes(line: &str) -> u64 {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        address(end) - address(start)
    }

    fn the_fallback_serves_everything(limit: Limit) {
        // Without `mmap`, the fallback has no memory either, and the limit is not known.
        let failed = Reservation::Failed((!cfg!(framepool_os = "none")).then_some(limit));
        let before = ALLOC.stats();
        assert_eq!(before.reservation(), failed);
        let text = before.to_string();
        assert!(
            text.contains(&format!("Reservation denied by {limit}")) || cfg!(framepool_os = "none"),
            "{text}"
        );
        let mut frames: Vec<_> = Class::ALL.map(|class| vec![class as u8; whole(class).size()]).into();
        for frame in &mut frames {
            assert!(!ALLOC.owns(frame.as_ptr()));
            let (byte, len) = (frame[0], frame.len());
            frame.resize(2 * len, byte);
            frame.truncate(10);
            frame.shrink_to_fit();
            assert_eq!(frame, &[byte; 10]);
        }
        std::thread::spawn(move || drop(frames)).join().unwrap();
        assert!(Vec::<u8>::new().try_reserve(1 << 30).is_err(), "1 GiB is beyond the limit");
        // Whether the pools are off or on makes no difference any more.
        ALLOC.set_enabled(false);
        ALLOC.set_enabled(true);
        drop(String::from("still to the fallback"));

        let stats = ALLOC.stats();
        assert_eq!(stats.reservation(), failed);
        assert!(stats.since(&before).bypassed(Bypass::Disabled) >= 10, "{stats}");
        assert_eq!(stats.bypasses(), stats.bypassed(Bypass::Disabled) + stats.bypassed(Bypass::Starting));
        assert_eq!((stats.served(), stats.misses(), stats.returns()), ((0, 0), 0, 0));
    }
}

// A 32-bit process may have as much.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_vec_beyond_memory_is_an_error() {
    for class in Class::ALL {
        let mut bytes = vec![class as u8; whole(class).size()];
        assert!(ALLOC.owns(bytes.as_ptr()));
        assert!(bytes.try_reserve_exact(isize::MAX as usize - 4096 - bytes.len()).is_err());
        assert_eq!(ALLOC.usable_size(bytes.as_ptr()), Some(whole(class).size()));
        assert!(bytes.iter().all(|&byte| byte == class as u8));
    }
}

/// The `System` allocator, which has no memory at all while [`HAS_NO_MEMORY`] is true.
struct Moody;

static HAS_NO_MEMORY: AtomicBool = AtomicBool::new(false);

// SAFETY: returns what `System` returns, or null.
unsafe impl GlobalAlloc for Moody {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        if HAS_NO_MEMORY.load(SeqCst) { null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        if HAS_NO_MEMORY.load(SeqCst) { null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        if HAS_NO_MEMORY.load(SeqCst) { null_mut() } else { unsafe { System.realloc(ptr, layout, new_size) } }
    }
}

#[test]
fn when_the_fallback_has_nothing_requests_are_null_and_blocks_stay_as_they_were() {
    static POOL: PoolAlloc<Moody> = PoolAlloc::with_fallback(Moody, Config::new());
    const HUGE: usize = 5 << 20;

    let last_class = Block::take(&POOL, whole(Class::XLarge), 1);
    let below_a_full_class = Block::take(&POOL, whole(Class::Medium), 2);
    let of_the_fallback = Block::take(&POOL, layout(HUGE, 8), 3);
    let full: Vec<_> = (0..32).map(|id| Block::take(&POOL, whole(Class::Large), id)).collect();

    HAS_NO_MEMORY.store(true, SeqCst);
    let before = POOL.stats();
    for failing in [layout(HUGE, 8), whole(Class::Large), layout(64, 4 << 20)] {
        // SAFETY: not empty.
        unsafe {
            assert!(POOL.alloc(failing).is_null());
            assert!(POOL.alloc_zeroed(failing).is_null());
        }
    }
    let resizes = [
        (&last_class, HUGE),
        (&below_a_full_class, whole(Class::Large).size()),
        (&of_the_fallback, 2 * HUGE),
        (&of_the_fallback, HUGE / 2),
    ];
    for (block, new_size) in resizes {
        // SAFETY: a live block, with its layout.
        assert!(unsafe { POOL.realloc(block.start, block.layout, new_size) }.is_null());
        block.check();
    }
    let stats = POOL.stats();
    for class in Class::ALL {
        assert_eq!(stats.class(class).in_use, before.class(class).in_use);
    }
    let since = stats.since(&before);
    assert_eq!((since.hits(), since.returns(), since.reallocs_moved(), since.misses()), (0, 0, 0, 3));
    assert_eq!((since.bypassed(Bypass::TooLarge), since.bypassed(Bypass::OverAligned)), (4, 2));
    assert_eq!(since.fallbacks(), 10);

    // If the fallback has no memory for a shrink, the block stays in its slot. A shrink never fails.
    let start = last_class.start;
    let last_class = last_class.resize(200_000);
    assert_eq!((last_class.start, POOL.stats().shrunk_to_fallback()), (start, 0));

    // The pools go on serving without the fallback.
    Block::take(&POOL, whole(Class::Medium), 4).resize(30_000).give();
    HAS_NO_MEMORY.store(false, SeqCst);
    for block in [last_class.resize(HUGE), below_a_full_class, of_the_fallback].into_iter().chain(full) {
        block.give();
    }
    assert!(Class::ALL.iter().all(|&class| POOL.stats().class(class).in_use == 0));
}
