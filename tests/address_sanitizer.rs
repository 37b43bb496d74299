//! Tests that an address sanitizer stops a program at the first byte that it must not touch.
//!
//! Each planted bug runs in a child process. `tests/address_sanitizer.sh` builds everything with
//! `--cfg framepool_sanitizer="address"`. Without that flag this file is empty.

#![cfg(framepool_sanitizer = "address")]

mod common;

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;

use common::{child, run, run_to_success};
use framepool::{BufferPool, Class, Config, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

/// The bytes of a block: half a slot and 3. That is no multiple of the sanitizer's granules, and far from the
/// slot's end.
fn bytes_of(class: Class) -> usize {
    Config::new().slot_bytes(class) / 2 + 3
}

fn vec_of(class: Class) -> Vec<u8> {
    let bytes = vec![1; bytes_of(class)];
    assert!(ALLOC.owns(bytes.as_ptr()));
    bytes
}

/// Reads a byte at an address that may not belong to this program.
fn read(at: *const u8) {
    // SAFETY: none, on purpose.
    black_box(unsafe { at.read_volatile() });
}

fn write(at: *mut u8) {
    // SAFETY: none, on purpose.
    unsafe { at.write_volatile(2) };
}

/// Plays `bug` in a child for each class. Panics unless the child prints that it reached the bug, and then
/// ends with a report of the sanitizer.
fn each_is_stopped(test: impl Fn() + Copy, bug: impl Fn(Class)) {
    for class in Class::ALL {
        match common::case() {
            None => {
                let output = run(child(test, class.name()));
                let stdout = String::from_utf8_lossy(&output.stdout);
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(stdout.contains("so far so good"), "{class}: {stdout}\n{stderr}");
                assert!(stderr.contains("ERROR: AddressSanitizer: use-after-poison"), "{class}: {stderr}");
                assert!(!output.status.success(), "{class}");
            }
            Some(case) if case == class.name() => bug(class),
            Some(_) => {}
        }
    }
}

fn so_far_so_good() {
    println!("so far so good");
}

#[test]
fn a_read_of_a_freed_block() {
    each_is_stopped(a_read_of_a_freed_block, |class| {
        let bytes = vec_of(class);
        let at = bytes.as_ptr();
        read(at);
        drop(bytes);
        so_far_so_good();
        read(at);
    });
}

#[test]
fn a_write_to_the_end_of_a_freed_block() {
    each_is_stopped(a_write_to_the_end_of_a_freed_block, |class| {
        let mut bytes = vec_of(class);
        let at = bytes.as_mut_ptr().wrapping_add(bytes.len() - 1);
        write(at);
        drop(bytes);
        so_far_so_good();
        write(at);
    });
}

#[test]
fn a_write_one_byte_past_the_end() {
    each_is_stopped(a_write_one_byte_past_the_end, |class| {
        let mut bytes = vec_of(class);
        so_far_so_good();
        write(bytes.as_mut_ptr().wrapping_add(bytes.len()));
    });
}

#[test]
fn a_write_past_the_end_of_the_slot() {
    each_is_stopped(a_write_past_the_end_of_the_slot, |class| {
        let slot_bytes = Config::new().slot_bytes(class);
        let mut bytes = vec![1_u8; slot_bytes];
        write(bytes.as_mut_ptr().wrapping_add(slot_bytes - 1));
        so_far_so_good();
        // The next slot is free. Past the last slot is a guard page, which faults without the sanitizer.
        write(bytes.as_mut_ptr().wrapping_add(slot_bytes));
    });
}

#[test]
fn a_read_one_byte_before_the_start() {
    each_is_stopped(a_read_one_byte_before_the_start, |class| {
        let (lower, upper) = (vec_of(class), vec_of(class));
        so_far_so_good();
        read(lower.as_ptr().max(upper.as_ptr()).wrapping_sub(1));
    });
}

#[test]
fn a_write_to_what_a_shrink_in_place_gave_up() {
    each_is_stopped(a_write_to_what_a_shrink_in_place_gave_up, |class| {
        let mut bytes = vec_of(class);
        bytes.truncate(bytes.len() * 2 / 3);
        let (start, len) = (bytes.as_mut_ptr(), bytes.len());
        bytes.shrink_to_fit();
        assert_eq!(bytes.as_mut_ptr(), start);
        write(start.wrapping_add(len - 1));
        so_far_so_good();
        write(start.wrapping_add(len));
    });
}

#[test]
fn a_read_of_a_block_that_has_moved() {
    each_is_stopped(a_read_of_a_block_that_has_moved, |class| {
        let mut bytes = vec_of(class);
        let start = bytes.as_ptr();
        bytes.reserve_exact(Config::new().slot_bytes(class) + 1);
        assert_ne!(bytes.as_ptr(), start);
        so_far_so_good();
        read(start);
    });
}

#[test]
fn a_read_of_a_buffer_pools_buffer_that_was_given_back() {
    each_is_stopped(a_read_of_a_buffer_pools_buffer_that_was_given_back, |class| {
        let pool = BufferPool::new();
        let buffer = pool.alloc_zeroed(bytes_of(class));
        let at = buffer.as_slice().as_ptr();
        read(at);
        drop(buffer);
        so_far_so_good();
        read(at);
    });
}

/// Covers zeroing, growth in place, `trim`, `zero_on_free`, and memory that has another use once a
/// `BufferPool` is gone.
#[test]
fn what_is_right_is_not_stopped() {
    static CLEARS: PoolAlloc = PoolAlloc::with_config(Config::new().zero_on_free(true).hardened(true));

    if common::case().is_none() {
        return run_to_success(child(what_is_right_is_not_stopped, "right"));
    }
    for round in 0..20 {
        for class in Class::ALL {
            let mut bytes = vec![0_u8; bytes_of(class)];
            bytes.resize(Config::new().slot_bytes(class), 3);
            assert_eq!(bytes[bytes.len() - 1], 3);
            let layout = Layout::from_size_align(bytes_of(class), 8).unwrap();
            // SAFETY: not empty; written inside, and freed as it was allocated.
            unsafe {
                let start = CLEARS.alloc_zeroed(layout);
                start.add(layout.size() - 1).write(start.read() + 1);
                CLEARS.dealloc(start, layout);
            }
            let pool = BufferPool::new();
            let mut buffer = pool.alloc(bytes_of(class));
            buffer.resize(buffer.capacity(), 4);
            drop((buffer, pool));
            drop(vec![5_u8; 64 << 20]);
        }
        if round % 5 == 0 {
            ALLOC.trim();
            ALLOC.prewarm();
        }
    }
}
