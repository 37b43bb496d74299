//! Tests of collections in a `BufferPool` through allocator-api2, and of its buffers in network code: as `BufMut`, and
//! made into `Bytes`. Needs the features `allocator-api2` and `bytes`.

mod common;

use std::alloc::Layout;
use std::ptr::NonNull;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use bytes::{Buf, BufMut, Bytes};
use framepool::{BufferPool, Class, Config};
use hashbrown::HashMap;

const FRAME: usize = 1_382_400;

fn pool() -> BufferPool {
    BufferPool::with_config(Config::new().class(Class::XLarge, FRAME, 2))
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn a_vec_with_a_handle_or_a_borrow_lives_in_slots() {
    let pool = pool();
    let mut owned: Vec<u8, BufferPool> = Vec::with_capacity_in(FRAME, pool.clone());
    let mut borrowed: Vec<u8, &BufferPool> = Vec::new_in(&pool);
    for byte in 0..=255 {
        owned.push(byte);
        borrowed.extend_from_slice(&[byte; 1_000]);
    }
    assert!(pool.owns(owned.as_ptr()) && pool.owns(borrowed.as_ptr()));
    assert!(borrowed.iter().step_by(1_000).eq(&owned));
    owned.resize(FRAME + 1, 0);
    assert!(!pool.owns(owned.as_ptr()) && owned[..256].iter().copied().eq(0..=255));
    drop(borrowed);
    let boxed = Box::new_in([7_u64; 100], &pool);
    assert!(pool.owns((&raw const *boxed).cast()));
    drop(boxed);
    drop(owned);
    assert!(Class::ALL.into_iter().all(|class| pool.stats().class(class).in_use == 0));
}

#[test]
fn a_map_lives_in_slots() {
    let pool = pool();
    let mut map = HashMap::new_in(&pool);
    (0..2_000_u64).for_each(|n| _ = map.insert(n, n * n));
    assert!((0..2_000).all(|n| map[&n] == n * n));
    assert_eq!(pool.stats().class(Class::Large).in_use, 1);
    map.retain(|n, _| n % 100 == 0);
    map.shrink_to_fit();
    assert!(map.len() == 20 && map[&1_900] == 3_610_000);
    drop(map);
    assert!(Class::ALL.into_iter().all(|class| pool.stats().class(class).in_use == 0));
}

/// Requests that collections do not make: zeros, alignment, sizes of 0, and blocks that move back and forth
/// between slots and heap.
#[test]
fn every_kind_of_request_keeps_the_contract() {
    let pool = pool();
    let fill = |block: NonNull<[u8]>, bytes: usize, id: u8| {
        assert!(block.len() >= bytes);
        // SAFETY: a live block of at least `bytes` bytes.
        unsafe { block.cast::<u8>().write_bytes(id, bytes) };
    };
    let holds = |block: NonNull<[u8]>, bytes: usize, id: u8| {
        // SAFETY: a live block whose first `bytes` bytes were written.
        let slice = unsafe { std::slice::from_raw_parts(block.cast::<u8>().as_ptr(), bytes) };
        slice.iter().all(|&byte| byte == id)
    };
    let sizes = [0, 1, 100, 1_024, 1_025, 70_000, FRAME, FRAME + 1, 3 * FRAME];
    // SAFETY: each block is live until it is freed, and is grown, shrunk and freed with a layout that fits
    // it.
    unsafe {
        for align in [1, 64, 4_096, 1 << 21] {
            for (from, id) in sizes.into_iter().zip(1..) {
                for to in sizes {
                    let (old, new) = (layout(from, align), layout(to, align.min(64)));
                    let block = pool.allocate(old).unwrap();
                    assert!(block.cast::<u8>().addr().get().is_multiple_of(align));
                    fill(block, from, id);
                    let moved = if to >= from {
                        pool.grow_zeroed(block.cast(), old, new).unwrap()
                    } else {
                        pool.shrink(block.cast(), old, new).unwrap()
                    };
                    assert!(moved.len() >= to && holds(moved, from.min(to), id));
                    if let Some(more @ 1..) = to.checked_sub(from) {
                        let tail = moved.cast::<u8>().add(from);
                        assert!(holds(NonNull::slice_from_raw_parts(tail, more), more, 0));
                    }
                    pool.deallocate(moved.cast(), new);
                    let zeroed = pool.allocate_zeroed(old).unwrap();
                    assert!(holds(zeroed, from, 0));
                    fill(zeroed, from, 9);
                    pool.deallocate(zeroed.cast(), old);
                }
            }
        }
    }
    assert!(Class::ALL.into_iter().all(|class| pool.stats().class(class).in_use == 0));
}

#[test]
fn a_block_stays_in_its_slot_while_it_fits_and_shrinks_to_a_quarter_before_it_moves() {
    let pool = pool();
    // SAFETY: as above.
    unsafe {
        let block = pool.allocate(layout(2_000, 8)).unwrap();
        assert_eq!(block.len(), 65_536, "the whole slot is the block's");
        let start = block.cast::<u8>();
        assert_eq!(pool.grow(start, layout(2_000, 8), layout(65_536, 8)).unwrap().cast(), start);
        assert_eq!(pool.shrink(start, layout(65_536, 8), layout(16_385, 8)).unwrap().cast(), start);
        let moved = pool.shrink(start, layout(16_385, 8), layout(900, 8)).unwrap();
        assert_eq!(
            (pool.stats().class(Class::Small).in_use, pool.stats().class(Class::Medium).in_use),
            (1, 0)
        );
        // A block that shrinks to nothing keeps its slot until it is freed.
        let nothing = pool.shrink(moved.cast(), layout(900, 8), layout(0, 8)).unwrap();
        assert_eq!(nothing.cast(), moved.cast::<u8>());
        pool.deallocate(nothing.cast(), layout(0, 8));
        assert_eq!(pool.stats().class(Class::Small).in_use, 0);
    }
    assert_eq!((pool.stats().reallocs_in_place(), pool.stats().reallocs_moved()), (3, 1));
}

#[test]
fn a_remainder_of_a_frame_goes_to_the_global_allocator_when_its_class_has_no_slot() {
    let pool = pool();
    let _all: Vec<_> = (0..1_024).map(|_| pool.alloc(10)).collect();
    // SAFETY: as above.
    unsafe {
        let frame = pool.allocate(layout(FRAME, 8)).unwrap().cast::<u8>();
        frame.write_bytes(5, 40);
        let rest = pool.shrink(frame, layout(FRAME, 8), layout(40, 8)).unwrap();
        assert!(!pool.owns(rest.cast().as_ptr()) && rest.cast::<[u8; 40]>().read() == [5; 40]);
        let stats = pool.stats();
        assert_eq!((stats.class(Class::XLarge).in_use, stats.misses(), stats.bypasses()), (0, 0, 0));
        assert_eq!((stats.shrunk_to_fallback(), stats.fallbacks(), stats.fallback_bytes()), (1, 1, 40));
        assert_eq!(stats.reallocs_moved(), 1);
        let rest = pool.shrink(rest.cast(), layout(40, 8), layout(30, 8)).unwrap();
        let stats = pool.stats();
        assert_eq!((stats.shrunk_to_fallback(), stats.fallbacks(), stats.fallback_bytes()), (1, 2, 70));
        // A move from one block of the global allocator to another does not count as a move of the pools.
        let aligned = pool.grow(rest.cast(), layout(30, 8), layout(3 << 20, 64)).unwrap();
        assert_eq!(pool.stats().reallocs_moved(), 1);
        pool.deallocate(aligned.cast(), layout(3 << 20, 64));
    }
}

// A 32-bit process may find memory of any alignment.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_block_that_finds_no_memory_to_shrink_to_stays_in_its_slot_uncounted() {
    let pool = pool();
    // SAFETY: as above.
    unsafe {
        let frame = pool.allocate(layout(FRAME, 8)).unwrap().cast::<u8>();
        let before = pool.stats();
        assert!(pool.shrink(frame, layout(FRAME, 8), layout(100, 1 << 60)).is_err());
        assert_eq!(pool.stats(), before);
        pool.deallocate(frame, layout(FRAME, 8));
    }
}

#[cfg(unix)]
#[test]
fn a_block_that_is_freed_twice_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    let test = a_block_that_is_freed_twice_ends_the_process;
    if common::case().is_none() {
        let output = common::run(common::child(test, "twice"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("framepool: double free: XLarge slot 0 at 0x"), "{stderr}");
        return assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    }
    let pool = pool();
    let block = pool.allocate(layout(FRAME, 1)).unwrap();
    // SAFETY: none, on purpose.
    unsafe {
        pool.deallocate(block.cast(), layout(FRAME, 1));
        pool.deallocate(block.cast(), layout(FRAME, 1));
    }
}

#[test]
fn bytes_are_had_without_a_copy_and_give_the_slot_back_with_the_last_of_them() {
    let pool = pool();
    let mut buf = pool.alloc(FRAME);
    buf.resize(FRAME, 5);
    let start = buf.as_ptr();
    let bytes = Bytes::from(buf);
    assert_eq!(bytes.as_ptr(), start);
    let part = bytes.slice(100..200);
    drop(bytes);
    let in_use = || pool.stats().class(Class::XLarge).in_use;
    assert_eq!((in_use(), &part[..]), (1, &[5; 100][..]));
    std::thread::spawn(move || drop(part)).join().unwrap();
    assert_eq!(in_use(), 0);
}

#[test]
fn a_buffer_is_written_as_a_vec_is_and_grows_as_one() {
    let pool = pool();
    let mut buf = pool.alloc(100);
    let mut vec = std::vec::Vec::new();
    fn write(to: &mut impl BufMut) {
        to.put_u8(7);
        to.put_u32(0xDEAD_BEEF);
        to.put_bytes(9, 200);
        to.put(&mut b"first and ".chain(&b"second"[..]));
        (0..2_000_u16).for_each(|n| to.put_u16(n));
    }
    write(&mut buf);
    write(&mut vec);
    assert_eq!(buf, vec);
    assert!(buf.is_pooled() && buf.remaining_mut() > isize::MAX as usize - 10_000);
    // A full buffer has a chunk all the same.
    let room = buf.capacity() - buf.len();
    buf.put_bytes(1, room);
    assert_eq!(buf.len(), buf.capacity());
    assert!(buf.chunk_mut().len() >= 64);
    assert_eq!(buf.freeze().slice(..5), [7, 0xDE, 0xAD, 0xBE, 0xEF][..]);
    assert_eq!(pool.stats().class(Class::Small).in_use, 0);
}

#[test]
#[should_panic(expected = "advanced by 5000 bytes, but there is room for 1024")]
fn a_buffer_is_not_advanced_beyond_its_room() {
    let mut buf = pool().alloc(100);
    // SAFETY: none, on purpose: it panics before it counts the bytes.
    unsafe { buf.advance_mut(5_000) };
}

#[test]
fn tokio_reads_into_a_buffer() {
    use std::task::{Context, Poll, Waker};
    use tokio::io::AsyncReadExt;

    let pool = pool();
    let mut buf = pool.alloc(FRAME);
    let frame: std::vec::Vec<u8> = (0..FRAME).map(|n| n as u8).collect();
    let mut from = &frame[..];
    while buf.len() < FRAME {
        let read = std::pin::pin!(from.read_buf(&mut buf));
        let Poll::Ready(read) = read.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("a slice is never pending")
        };
        assert!(read.unwrap() > 0);
    }
    assert!(buf == frame && buf.is_pooled());
}
