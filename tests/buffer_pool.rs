//! Tests of `BufferPool` and its buffers: where buffers come from, how they grow, which bytes can be read,
//! and that dropped pools leave nothing behind.

mod common;
#[path = "common/system.rs"]
mod system;

use std::io::Write;
use std::thread;
use std::time::Duration;

use framepool::{BufferPool, Bypass, Class, Config, MemoryOption, PoolBuf, Reservation};

const FRAME: usize = 1_382_400;

/// A table with slots for two frames.
const TWO: Config = Config::new().class(Class::XLarge, FRAME, 2);

fn in_use(pool: &BufferPool, class: Class) -> u64 {
    pool.stats().class(class).in_use
}

#[test]
fn a_buffer_is_empty_with_room_for_what_was_asked_and_gives_its_slot_back() {
    let pool = BufferPool::new();
    for (len, class) in [(1, 0), (1_024, 0), (1_025, 1), (65_536, 1), (65_537, 2), (262_145, 3), (2 << 20, 3)]
    {
        let class = Class::ALL[class];
        let buf = pool.alloc(len);
        assert!(buf.is_pooled() && pool.owns(buf.as_ptr()));
        assert_eq!((buf.len(), buf.capacity()), (0, Config::new().slot_bytes(class)));
        assert_eq!(in_use(&pool, class), 1);
        drop(buf);
        assert_eq!(in_use(&pool, class), 0);
    }
    let stats = pool.stats();
    assert_eq!((stats.hits(), stats.returns(), stats.fallbacks()), (7, 7, 0));
    assert_eq!(stats.served(), (7, 1 + 1_024 + 1_025 + 65_536 + 65_537 + 262_145 + (2 << 20)));
}

#[test]
fn nothing_is_held_back_unless_the_configuration_says_so() {
    let pool = BufferPool::new();
    let bufs: Vec<_> = (0..1_024).map(|_| pool.alloc_pooled(1).unwrap()).collect();
    assert_eq!(pool.stats().class(Class::Small).peak, 1_024);
    assert!(pool.alloc_pooled(1).is_none());
    assert_eq!(pool.stats().class(Class::Small).misses, 1);
    drop(bufs);

    let pool = BufferPool::with_config(Config::new().hold_back(Class::Small, 1_000, 512));
    let bufs: Vec<_> = (0..24).map(|_| pool.alloc_pooled(1).unwrap()).collect();
    assert!(pool.alloc_pooled(1).is_none() && pool.alloc_pooled(512).is_some());
    assert_eq!(pool.stats().bypassed(Bypass::HeldBack), 1);
    drop(bufs);
}

#[test]
fn no_thread_keeps_a_slot_and_every_count_is_exact_at_once() {
    let pool = BufferPool::with_config(TWO);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..1_000).for_each(|_| drop(pool.alloc(FRAME))));
        }
    });
    let _both = [pool.alloc_pooled(FRAME).unwrap(), pool.alloc_pooled(FRAME).unwrap()];
    let stats = pool.stats();
    assert_eq!((stats.hits() + stats.misses(), stats.class(Class::XLarge).peak), (2_002, 2));
}

#[test]
fn where_no_slot_is_free_the_heap_serves_unless_it_must_not() {
    let pool = BufferPool::with_config(TWO);
    let _both = [pool.alloc(FRAME), pool.alloc(FRAME)];
    let buf = pool.alloc(FRAME);
    assert!(!buf.is_pooled() && buf.capacity() >= FRAME);
    assert!(*pool.alloc_zeroed(FRAME) == [0; FRAME]);
    assert!(!pool.try_alloc(FRAME).unwrap().is_pooled());
    assert!(pool.alloc_pooled(FRAME).is_none());
    assert_eq!(pool.stats().misses(), 4);
    assert!(!pool.alloc(FRAME + 1).is_pooled());
    assert_eq!(pool.stats().bypassed(Bypass::TooLarge), 1);

    // A 32-bit process may have half of its addresses in one block.
    let too_many = if usize::BITS == 64 { isize::MAX as usize - 4096 } else { usize::MAX - 1 };
    let error = pool.try_alloc(too_many).unwrap_err();
    assert_eq!(error.bytes(), too_many);
    assert!(error.to_string().starts_with("no slot is free and no memory is left for "));
    assert_eq!(pool.try_alloc(usize::MAX).unwrap_err().bytes(), usize::MAX);
    assert!(pool.alloc_pooled(usize::MAX).is_none());
    // What got no memory has no bytes: `alloc_pooled`, and the absurd request if it has a layout.
    let stats = pool.stats();
    assert_eq!(
        (stats.failed(), stats.fallback_bytes()),
        (1 + u64::from(usize::BITS == 64), 4 * FRAME as u64 + 1)
    );
}

#[test]
fn polling_for_a_slot_does_not_change_the_share_of_bytes() {
    let pool = BufferPool::with_config(TWO);
    let both = [pool.alloc(FRAME), pool.alloc(FRAME)];
    (0..100).for_each(|_| assert!(pool.alloc_pooled(FRAME).is_none()));
    (0..100).for_each(|_| assert!(pool.wait_pooled(FRAME, Duration::ZERO).is_err()));
    let stats = pool.stats();
    assert_eq!((stats.misses(), stats.failed(), stats.pooled_share()), (200, 200, Some(1.0)));
    drop(both);
}

#[test]
fn buffers_that_no_slot_holds_are_counted_while_they_live() {
    let pool = BufferPool::with_config(TWO);
    let mut bufs: Vec<_> = (0..3).map(|_| pool.alloc(FRAME + 1)).collect();
    bufs.pop();
    bufs.extend((0..2).map(|_| pool.alloc_zeroed(FRAME + 1)));
    assert!(pool.alloc_pooled(FRAME + 1).is_none(), "counted as a request, and there is no block");
    bufs[0].reserve(2 * FRAME);
    bufs[1] = pool.alloc(2 * FRAME);
    drop(Vec::from(bufs.pop().unwrap()));
    drop(bufs);
    let stats = pool.stats();
    let too_large = stats.too_large().unwrap();
    // `bufs[1]` is dropped after its successor was allocated.
    assert_eq!((too_large.requests, too_large.at_once, stats.failed()), (7, 5, 1));
    assert_eq!(too_large.largest as usize, 2 * FRAME);
    assert_eq!(pool.config().slot_bytes(Class::XLarge), FRAME);
}

#[test]
fn zeros_are_zeros_on_a_slot_that_was_used_and_cost_nothing_on_one_that_was_not() {
    let pool = BufferPool::with_config(TWO);
    let mut first = pool.alloc_zeroed(FRAME);
    assert!(*first == [0; FRAME]);
    first.fill(7);
    drop(first);
    let second = pool.alloc_zeroed(FRAME - 100);
    assert!(*second == [0; FRAME - 100]);
    assert_eq!((pool.stats().memsets_skipped(), pool.stats().memsets_done()), (1, 1));
    drop(second);

    let clears = BufferPool::with_config(TWO.zero_on_free(true));
    clears.alloc_zeroed(FRAME).fill(7);
    assert!(*clears.alloc_zeroed(FRAME) == [0; FRAME]);
    assert_eq!((clears.stats().memsets_skipped(), clears.stats().memsets_done()), (2, 0));
}

#[test]
fn what_a_slot_held_before_cannot_be_seen() {
    let pool = BufferPool::with_config(TWO);
    pool.alloc_zeroed(FRAME).fill(0xAA);
    let mut buf = pool.alloc(FRAME);
    assert!(buf.is_empty());
    buf.extend_from_slice(&[1, 2, 3]);
    buf.truncate(9);
    assert_eq!(*buf, [1, 2, 3]);
    buf.resize(5, 0);
    assert_eq!(*buf, [1, 2, 3, 0, 0]);
    buf.truncate(2);
    buf.resize(4, 9);
    assert_eq!(*buf, [1, 2, 9, 9]);
    buf.clear();
    assert!(buf.is_empty() && buf.capacity() == FRAME);
    assert_eq!(buf.spare_capacity_mut().len(), FRAME);
    buf.spare_capacity_mut()[0].write(5);
    // SAFETY: the first byte was written above.
    unsafe { buf.set_len(1) };
    assert_eq!(*buf, [5]);
}

#[test]
fn it_grows_in_its_slot_then_into_larger_ones_then_onto_the_heap_and_back() {
    let pool = BufferPool::with_config(TWO);
    let pattern: Vec<u8> = (0..=255).cycle().take(FRAME + 1_000).collect();
    let mut buf = pool.alloc(0);
    assert_eq!((buf.capacity(), pool.stats().total_allocs()), (0, 0));
    for end in [10, 1_000, 1_025, 65_536, 65_537, 300_000, FRAME] {
        let start = buf.as_ptr();
        let fits = end <= buf.capacity();
        buf.extend_from_slice(&pattern[buf.len()..end]);
        assert!(buf.is_pooled() && *buf == pattern[..end]);
        assert_eq!(buf.as_ptr() == start, fits, "{end}");
    }
    assert_eq!(pool.stats().hits(), 4);
    buf.extend_from_slice(&pattern[FRAME..]);
    assert!(!buf.is_pooled() && *buf == pattern[..]);
    assert_eq!(pool.stats().class(Class::XLarge).in_use, 0);
    assert!(buf.capacity() >= pattern.len());

    // A buffer is on the heap because no slot was free. It moves into a slot when it grows and one is free.
    let both = [pool.alloc(FRAME), pool.alloc(FRAME)];
    let mut buf = pool.alloc(FRAME / 2);
    buf.write_all(&pattern[..FRAME / 2]).unwrap();
    assert!(!buf.is_pooled());
    drop(both);
    while buf.len() < buf.capacity() {
        buf.extend_from_slice(&[0]);
    }
    let len = buf.len();
    buf.reserve(1);
    assert!(buf.is_pooled() && buf[..FRAME / 2] == pattern[..FRAME / 2] && buf.len() == len);
    drop(buf);
    assert_eq!(in_use(&pool, Class::XLarge), 0);
}

#[test]
#[should_panic(expected = "capacity overflow")]
fn it_refuses_to_grow_beyond_all_bounds() {
    let mut buf = BufferPool::new().alloc_zeroed(10);
    buf.reserve(usize::MAX - 5);
}

#[test]
fn to_a_vec_and_from_it_without_a_copy_but_out_of_a_slot() {
    let pool = BufferPool::with_config(TWO);
    let vec = vec![3_u8; 1_000];
    let start = vec.as_ptr();
    let buf = PoolBuf::from(vec);
    assert!(!buf.is_pooled() && buf.as_ptr() == start);
    let vec = buf.try_into_vec().unwrap();
    assert!(vec.as_ptr() == start && vec == [3; 1_000]);

    let mut buf = pool.alloc(FRAME);
    buf.resize(1_000, 4);
    let start = buf.as_ptr();
    let buf = buf.try_into_vec().unwrap_err();
    assert_eq!(buf.as_ptr(), start);
    let vec = Vec::from(buf);
    assert!(vec == [4; 1_000] && !pool.owns(vec.as_ptr()));
    assert_eq!(in_use(&pool, Class::XLarge), 0);

    let mut grown = PoolBuf::from(Vec::new());
    grown.extend_from_slice(&[1; 5_000]);
    assert!(!grown.is_pooled() && *grown == [1; 5_000]);
}

#[test]
fn handles_and_buffers_go_to_any_thread_and_either_keeps_the_pools_alive() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let pool = BufferPool::with_config(TWO).named("Capture");
    is_send_and_sync(&pool);
    let handle = pool.clone();
    assert_eq!(handle.name(), Some("Capture"));
    let mut buf = pool.alloc_zeroed(FRAME);
    is_send_and_sync(&buf);
    drop(pool);
    let buf = thread::spawn(move || {
        buf.fill(6);
        assert_eq!(handle.stats().class(Class::XLarge).in_use, 1);
        drop(handle);
        buf
    });
    let buf = buf.join().unwrap();
    assert!(buf.is_pooled() && *buf == [6; FRAME]);
    assert_eq!(
        format!("{buf:?}"),
        format!("PoolBuf {{ len: {FRAME}, capacity: {FRAME}, is_pooled: true, .. }}")
    );
    let expected = PoolBuf::from(vec![6; FRAME]);
    assert!(buf == expected);
}

/// Code that holds these types can run inside `catch_unwind`.
#[test]
fn allocators_handles_and_buffers_are_unwind_safe() {
    fn is_unwind_safe<T: std::panic::UnwindSafe>() {}
    is_unwind_safe::<&framepool::PoolAlloc>();
    is_unwind_safe::<BufferPool>();
    is_unwind_safe::<&BufferPool>();
    is_unwind_safe::<PoolBuf>();
}

#[test]
fn two_pools_share_nothing() {
    let (one, other) = (BufferPool::with_config(TWO), BufferPool::with_config(TWO));
    let buf = one.alloc(FRAME);
    assert!(one.owns(buf.as_ptr()) && !other.owns(buf.as_ptr()));
    assert_eq!((in_use(&one, Class::XLarge), in_use(&other, Class::XLarge)), (1, 0));
}

#[test]
fn its_memory_can_be_made_ready_looked_at_and_given_back() {
    let pool = BufferPool::with_config(TWO);
    assert_eq!(pool.stats().reservation(), Reservation::Ready);
    let residency = pool.prewarm();
    if system::HAS_FIGURES {
        assert!(residency.requested(MemoryOption::Resident));
        assert_eq!(residency.resident_bytes, residency.reserved_bytes);
        let kept = pool.alloc_zeroed(FRAME);
        assert!(pool.trim() as u64 >= residency.reserved_bytes - 3 * FRAME as u64);
        assert!(pool.residency().resident_bytes < 2 * FRAME as u64);
        assert!(*kept == [0; FRAME]);
    }
}

/// A pool whose reservation failed serves from the heap.
#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
#[test]
fn without_address_space_everything_comes_from_the_heap() {
    let test = without_address_space_everything_comes_from_the_heap;
    if common::case().is_none() {
        return common::run_to_success(common::child(test, "limited"));
    }
    let limit = libc::rlimit { rlim_cur: 256 << 20, rlim_max: 256 << 20 };
    // SAFETY: a valid limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let pool = BufferPool::with_config(Config::new().class(Class::XLarge, 2 << 20, 256));
    assert!(pool.stats().reservation().is_failed());
    let buf = pool.alloc_zeroed(FRAME);
    assert!(!buf.is_pooled() && *buf == [0; FRAME]);
    assert!(pool.alloc_pooled(FRAME).is_none());
    let waited = pool.wait_pooled(FRAME, Duration::MAX);
    assert_eq!(waited.unwrap_err(), framepool::WaitError::NeverPooled);
    assert_eq!(pool.stats().bypassed(Bypass::Disabled), 2);
}

/// Runs in a child, so that no other thread maps memory.
#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
#[test]
fn a_thousand_pools_made_and_dropped_leave_nothing() {
    if common::case().is_none() {
        let test = a_thousand_pools_made_and_dropped_leave_nothing;
        return common::run_to_success(common::child(test, "alone"));
    }
    let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let address_space = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let one = || {
        let pool = BufferPool::new();
        let bufs: Vec<_> = (0..10).map(|_| pool.alloc_zeroed(FRAME)).collect();
        let other = pool.clone();
        drop(pool);
        assert_eq!(in_use(&other, Class::XLarge), 10);
        drop(other);
        assert!(bufs.iter().all(|buf| buf[FRAME - 1] == 0));
    };
    // musl's heap, whose blocks hold the pools' handles, takes some time until it keeps what it was given back.
    let settles_after = if cfg!(target_env = "musl") { 1_000 } else { 1 };
    (0..settles_after).for_each(|_| one());
    let before = (mappings(), address_space());
    (0..1_000).for_each(|_| one());
    assert_eq!((mappings(), address_space()), before);
}

#[test]
#[should_panic(expected = "framepool: a BufferPool makes no recording; look at peak")]
fn a_recording_is_refused() {
    let _ = BufferPool::with_config(TWO.record(true));
}

#[test]
fn a_table_that_makes_no_sense_is_an_error_and_loses_nothing() {
    let error = |config| BufferPool::try_with_config(config).unwrap_err().to_string();
    assert_eq!(error(TWO.class(Class::Small, 1_024, 0)), "framepool: Small has no slots: give it at least 1");
    assert!(error(TWO.record(true)).starts_with("framepool: a BufferPool makes no recording; look at peak"));
    assert!(BufferPool::try_with_config(TWO).unwrap().alloc(FRAME).is_pooled());
}

#[test]
fn a_name_may_be_made_at_run_time() {
    let pool = BufferPool::with_config(TWO).named(format!("Camera {}", 1));
    assert_eq!((pool.name(), pool.clone().name()), (Some("Camera 1"), Some("Camera 1")));
    assert_eq!(pool.named("Camera").name(), Some("Camera"));
}
