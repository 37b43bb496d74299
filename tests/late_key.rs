//! P9: in a process that had 32 thread keys before this crate made its own, a thread's first request never
//! calls C's allocator. So a signal handler that interrupted C's allocator may make that request. Places pass
//! from thread to thread.

#![cfg(all(target_os = "linux", target_env = "gnu", not(framepool_os = "none")))]

mod common;

use std::alloc::GlobalAlloc;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use common::layout;
use framepool::{Class, PoolAlloc, SlotState};

/// A constructor that runs before the crate's own.
#[used]
#[unsafe(link_section = ".init_array.00050")]
static BEFORE: extern "C" fn() = take_the_low_keys;

extern "C" fn take_the_low_keys() {
    for _ in 0..40 {
        let mut key = 0;
        // SAFETY: room for the key.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, None) }, 0);
    }
    // With the crate's own handler, these are as many as glibc has room for without allocating.
    for _ in 0..47 {
        // SAFETY: registers no function.
        assert_eq!(unsafe { libc::pthread_atfork(None, None, None) }, 0);
    }
}

static POOL: PoolAlloc = PoolAlloc::new();
static CALLED: AtomicBool = AtomicBool::new(false);
static CACHED: AtomicUsize = AtomicUsize::new(0);

thread_local!(static IN_HANDLER: Cell<bool> = const { Cell::new(false) });

unsafe extern "C" {
    fn __libc_calloc(n: usize, size: usize) -> *mut c_void;
    fn __libc_malloc(size: usize) -> *mut c_void;
}

/// Notes a call that comes during the handler. The C library's own calls come here, too.
#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(n: usize, size: usize) -> *mut c_void {
    if IN_HANDLER.get() {
        CALLED.store(true, SeqCst);
    }
    // SAFETY: the caller's contract.
    unsafe { __libc_calloc(n, size) }
}

/// Notes a call that comes during the handler. The C library's own calls come here, too.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    if IN_HANDLER.get() {
        CALLED.store(true, SeqCst);
    }
    // SAFETY: the caller's contract.
    unsafe { __libc_malloc(size) }
}

fn use_once() {
    // SAFETY: not empty; freed as it was allocated.
    unsafe { POOL.dealloc(POOL.alloc(layout(1_000, 8)), layout(1_000, 8)) };
}

extern "C" fn handler(_: libc::c_int) {
    IN_HANDLER.set(true);
    use_once();
    IN_HANDLER.set(false);
}

extern "C" fn works(_: *mut c_void) -> *mut c_void {
    // SAFETY: the signal has a handler.
    assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
    // If the thread has a magazine, its next slot is one that it has cached.
    let before = cached();
    // SAFETY: as in `use_once`.
    let start = unsafe { POOL.alloc(layout(1_000, 8)) };
    CACHED.fetch_add(usize::from(cached() < before), SeqCst);
    // SAFETY: as above.
    unsafe { POOL.dealloc(start, layout(1_000, 8)) };
    null_mut()
}

fn cached() -> usize {
    let mut states = [SlotState::Free; 1024];
    POOL.slot_states(Class::Small, &mut states);
    states.iter().filter(|&&state| state == SlotState::Cached).count()
}

#[test]
fn a_first_request_in_a_handler_calls_no_allocator_and_places_pass_on() {
    // SAFETY: a handler that does only what the pools allow in a handler.
    unsafe { libc::signal(libc::SIGUSR1, handler as extern "C" fn(_) as usize) };
    // The first request of the process counts as one in a handler, too.
    handler(0);
    assert!(!CALLED.load(SeqCst), "start-up called C's allocator");
    // More threads than there are places.
    for _ in 0..600 {
        // Std does not start these threads: it has a key of its own, for which each thread calls C's
        // allocator.
        // SAFETY: each thread is joined at once.
        unsafe {
            let mut thread = 0;
            assert_eq!(libc::pthread_create(&mut thread, null(), works, null_mut()), 0);
            assert_eq!(libc::pthread_join(thread, null_mut()), 0);
        }
    }
    assert!(!CALLED.load(SeqCst), "a request in a handler called C's allocator");
    // All threads but those that started while slots of dead threads were reclaimed. If places did not pass
    // on, there would be 256.
    let with_magazine = CACHED.load(SeqCst);
    assert!(with_magazine > 550, "{with_magazine} of 600 threads had a magazine");
    // Dead threads keep back no slot.
    let slots: Vec<_> = (0..1024)
        // SAFETY: as above.
        .map(|_| unsafe { POOL.alloc(layout(1_000, 8)) })
        .collect();
    assert!(slots.iter().all(|&start| POOL.owns(start)));
    // SAFETY: as above.
    slots.iter().for_each(|&start| unsafe { POOL.dealloc(start, layout(1_000, 8)) });
}
