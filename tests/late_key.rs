//! P9: in a process that had 32 thread keys before this crate made its own, a thread's first request still never calls C's allocator, so a signal
//! handler that interrupted it may make that request; and places pass from thread to thread.

#![cfg(all(target_os = "linux", target_env = "gnu", not(framepool_os = "none")))]

mod common;

use std::alloc::GlobalAlloc;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use common::layout;
use framepool::{Class, PoolAlloc, SlotState};

/// Runs before the crate's own constructor.
#[used]
#[unsafe(link_section = ".init_array.00050")]
static BEFORE: extern "C" fn() = take_the_low_keys;

extern "C" fn take_the_low_keys() {
    for _ in 0..40 {
        let mut key = 0;
        // SAFETY: a place for the key.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, None) }, 0);
    }
    // With the crate's own, as many as glibc has room for without allocating.
    for _ in 0..47 {
        // SAFETY: nothing is to be called.
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

/// The C library's own calls come here, too.
#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(n: usize, size: usize) -> *mut c_void {
    if IN_HANDLER.get() {
        CALLED.store(true, SeqCst);
    }
    // SAFETY: the caller's contract.
    unsafe { __libc_calloc(n, size) }
}

/// The same.
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
    // SAFETY: has a handler.
    assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
    // What it takes next is what it has cached.
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
    // SAFETY: a handler that does what the pools promise to be fit for.
    unsafe { libc::signal(libc::SIGUSR1, handler as extern "C" fn(_) as usize) };
    // The first request of the process, too.
    handler(0);
    assert!(!CALLED.load(SeqCst), "start-up called C's allocator");
    // More threads than there are places.
    for _ in 0..600 {
        // SAFETY: joined at once. Not by std, which has a key of its own, and has C's allocator called for it in each thread.
        unsafe {
            let mut thread = 0;
            assert_eq!(libc::pthread_create(&mut thread, null(), works, null_mut()), 0);
            assert_eq!(libc::pthread_join(thread, null_mut()), 0);
        }
    }
    assert!(!CALLED.load(SeqCst), "a request in a handler called C's allocator");
    // All but those that came when what the dead had cached was called for. Without a way to their places there would be 256.
    let with_magazine = CACHED.load(SeqCst);
    assert!(with_magazine > 550, "{with_magazine} of 600 threads had a magazine");
    // Those that are gone keep nothing from the living.
    let slots: Vec<_> = (0..1024)
        // SAFETY: as above.
        .map(|_| unsafe { POOL.alloc(layout(1_000, 8)) })
        .collect();
    assert!(slots.iter().all(|&start| POOL.owns(start)));
    // SAFETY: as above.
    slots.iter().for_each(|&start| unsafe { POOL.dealloc(start, layout(1_000, 8)) });
}
