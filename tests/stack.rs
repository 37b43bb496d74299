//! P9: the first allocation of a process and of a thread fits a small stack: that of a `PTHREAD_STACK_MIN`
//! thread, or a signal stack.
//!
//! Each case runs on a thread with a painted stack, in a child process of its own, because the first
//! allocation reserves the pools.

#![cfg(all(target_os = "linux", not(framepool_os = "none")))]

mod common;

use std::alloc::GlobalAlloc;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use common::{child, is_in_child, layout, run_to_success};
use framepool::{Config, PoolAlloc};

const PAINT: u8 = 0xC5;
const STACK_BYTES: usize = 128 << 10;
/// The maximum number of bytes that a call may use, with the frames of the C library.
const LIMIT: usize = if cfg!(debug_assertions) { 8 << 10 } else { 4 << 10 };

static USED: AtomicUsize = AtomicUsize::new(0);

/// Returns the maximum number of bytes that `f` uses below the frame of its caller, on a thread that did
/// nothing before.
fn stack_used_by(f: extern "C" fn()) -> usize {
    extern "C" fn thread(f: *mut c_void) -> *mut c_void {
        let mut here = 0_u8;
        let top = (&raw mut here).addr();
        // SAFETY: the argument is the function that `stack_used_by` passes.
        let f: extern "C" fn() = unsafe { std::mem::transmute(f) };
        f();
        USED.store(top, SeqCst);
        null_mut()
    }

    // SAFETY: a stack of its own for one thread, which is joined before anything is read.
    unsafe {
        let (read_write, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let stack = libc::mmap(null_mut(), STACK_BYTES, read_write, flags, -1, 0);
        assert_ne!(stack, libc::MAP_FAILED);
        stack.cast::<u8>().write_bytes(PAINT, STACK_BYTES);
        let mut attributes = std::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstack(&mut attributes, stack, STACK_BYTES), 0);
        let mut id = std::mem::zeroed();
        assert_eq!(libc::pthread_create(&mut id, &attributes, thread, f as *mut c_void), 0);
        assert_eq!(libc::pthread_join(id, null_mut()), 0);
        let bytes = std::slice::from_raw_parts(stack.cast::<u8>(), STACK_BYTES);
        let lowest = bytes.iter().position(|&byte| byte != PAINT).unwrap();
        USED.load(SeqCst) - stack.addr() - lowest
    }
}

fn assert_small(what: &str, f: extern "C" fn()) {
    let used = stack_used_by(f);
    assert!(used <= LIMIT, "{what} took {used} bytes of stack, of {LIMIT}");
}

fn use_once(pool: &'static PoolAlloc, size: usize) {
    // SAFETY: not empty; freed once, as it was allocated.
    unsafe { pool.dealloc(pool.alloc(layout(size, 8)), layout(size, 8)) };
}

#[test]
fn the_first_allocation_of_a_process_takes_little_stack() {
    static POOL: PoolAlloc = PoolAlloc::new();
    extern "C" fn start() {
        use_once(&POOL, 1_000);
    }
    if is_in_child(the_first_allocation_of_a_process_takes_little_stack) {
        assert_small("start-up", start);
        assert_eq!(POOL.stats().hits(), 1);
    }
}

#[test]
fn so_it_does_with_a_table_from_the_environment_and_every_request_to_the_system() {
    const CONFIG: Config = Config::new().huge_pages(true).prefault(true).lock_memory(true).core_dumps(false);
    static POOL: PoolAlloc = PoolAlloc::with_config(CONFIG);
    extern "C" fn start() {
        use_once(&POOL, 1_000);
    }
    let test = so_it_does_with_a_table_from_the_environment_and_every_request_to_the_system;
    if common::case().is_some() {
        assert_small("start-up with requests", start);
        assert_eq!(POOL.stats().class(framepool::Class::XLarge).slots, 4);
        return;
    }
    let table = std::env::temp_dir().join(format!("framepool-stack-{}.table", std::process::id()));
    std::fs::write(&table, "# A table.\nxlarge=3110400x4\n").unwrap();
    let table = table.to_str().unwrap();
    let from_file = format!("record,table={table},to=/dev/null");
    for value in ["xlarge=3110400x4,stats", "record,xlarge=3110400x4", &from_file] {
        let mut command = child(test, "alone");
        command.env("FRAMEPOOL", value);
        run_to_success(command);
    }
    std::fs::remove_file(table).unwrap();
}

/// The text about the mistake is written within the first allocation.
#[test]
fn so_it_does_when_the_environment_is_wrong() {
    static POOL: PoolAlloc = PoolAlloc::new();
    extern "C" fn start() {
        use_once(&POOL, 1_000);
    }
    if common::case().is_some() {
        return assert_small("start-up with a wrong environment", start);
    }
    for value in [
        "nonsense",
        "small=1x",
        "small=1000x5",
        "large=64x8",
        "stats,xlarge=3110400x4:hold=99@2",
        "small=1024x999999",
        "small=64x8:hold=9@1",
        "small=1024x8:hold=8@4096",
        "xlarge=18446744073709551552x9",
        "small=64x1,medium=128x1,large=192x1,xlarge=256x1",
    ] {
        let mut command = child(so_it_does_when_the_environment_is_wrong, "alone");
        command.env("FRAMEPOOL", value);
        let output = common::run(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.contains("FRAMEPOOL is ignored"), "{value}: {stderr}");
    }
}

#[test]
fn a_first_use_by_a_thread_a_miss_a_shrink_and_an_exit_take_little_stack() {
    static POOL: PoolAlloc = PoolAlloc::new();
    extern "C" fn use_it() {
        for size in [100, 1_000, 60_000, 200_000, 1 << 20] {
            use_once(&POOL, size);
        }
        // SAFETY: not empty; each is freed once, with the layout that it has then.
        unsafe {
            let mut all = [null_mut(); 65];
            all.iter_mut().for_each(|start| *start = POOL.alloc(layout(2 << 20, 8)));
            all[0] = POOL.realloc(all[0], layout(2 << 20, 8), 100);
            POOL.dealloc(all[0], layout(100, 8));
            all[1..].iter().for_each(|&start| POOL.dealloc(start, layout(2 << 20, 8)));
        }
    }
    if is_in_child(a_first_use_by_a_thread_a_miss_a_shrink_and_an_exit_take_little_stack) {
        use_once(&POOL, 1_000);
        assert_small("a thread's use", use_it);
    }
}
