//! P9 on Windows: a DLL that holds the allocator may be closed while threads that used it live. It stays loaded, because
//! the loader calls it at their exits.
//!
//! Each test runs in a child process, because it looks for a crash.

#![cfg(windows)]

#[path = "../../common/mod.rs"]
mod common;

use std::env;
use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute_copy;
use std::os::windows::ffi::OsStrExt;
use std::sync::Barrier;
use std::thread;

/// The number of size classes, and so of the blocks that one use of the addon allocates.
const CLASSES: u32 = 4;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn LoadLibraryW(path: *const u16) -> *mut c_void;
    fn GetProcAddress(library: *mut c_void, name: *const c_char) -> *const c_void;
    fn FreeLibrary(library: *mut c_void) -> i32;
}

/// The open addon.
#[derive(Clone, Copy)]
struct Addon(*mut c_void);

// SAFETY: any thread may use the handle.
unsafe impl Send for Addon {}
// SAFETY: as above.
unsafe impl Sync for Addon {}

impl Addon {
    fn open() -> Self {
        let file = env::current_exe().unwrap().with_file_name("framepool_unloading.dll");
        let path: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: a string that ends with 0.
        let library = unsafe { LoadLibraryW(path.as_ptr()) };
        assert!(!library.is_null(), "{} does not open", file.display());
        Self(library)
    }

    /// Closes the addon. It needs one close for each time that it was opened.
    fn close(self) {
        // SAFETY: an open handle.
        assert_ne!(unsafe { FreeLibrary(self.0) }, 0);
    }

    /// Returns a function of the addon's.
    ///
    /// # Safety
    ///
    /// `T` is its type.
    unsafe fn function<T>(self, name: &CStr) -> T {
        // SAFETY: an open handle and a valid string.
        let function = unsafe { GetProcAddress(self.0, name.as_ptr()) };
        assert!(!function.is_null(), "{name:?}");
        // SAFETY: a function pointer of this type, by contract.
        unsafe { transmute_copy(&function) }
    }

    /// Allocates and frees a block of each class. Returns the number of slots among them.
    fn use_all(self) -> u32 {
        // SAFETY: the addon's.
        unsafe { self.function::<extern "C" fn() -> u32>(c"addon_use")() }
    }

    /// The number of slots that threads have in their magazines.
    fn cached(self) -> u32 {
        // SAFETY: the addon's.
        unsafe { self.function::<extern "C" fn() -> u32>(c"addon_cached")() }
    }

    /// The number of requests that a slot served.
    fn hits(self) -> u64 {
        // SAFETY: the addon's.
        unsafe { self.function::<extern "C" fn() -> u64>(c"addon_hits")() }
    }
}

/// Uses the addon on a new thread, runs `then`, and only then lets the thread exit.
fn exit_after(addon: Addon, then: impl FnOnce()) {
    let (used, done) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let slots = addon.use_all();
            used.wait();
            done.wait();
            slots
        });
        used.wait();
        then();
        done.wait();
        assert_eq!(thread.join().unwrap(), CLASSES);
    });
}

#[test]
fn a_thread_that_used_the_dll_exits_unharmed_after_it_was_closed() {
    if common::is_in_child(a_thread_that_used_the_dll_exits_unharmed_after_it_was_closed) {
        let addon = Addon::open();
        exit_after(addon, || {
            assert!(addon.cached() > 0, "the thread has no magazines");
            addon.close();
        });
    }
}

#[test]
fn a_dll_that_is_opened_again_is_the_one_from_before_and_has_no_slot_of_a_thread_that_is_gone() {
    let test = a_dll_that_is_opened_again_is_the_one_from_before_and_has_no_slot_of_a_thread_that_is_gone;
    if common::is_in_child(test) {
        let addon = Addon::open();
        exit_after(addon, || addon.close());
        let again = Addon::open();
        assert_eq!((again.hits(), again.cached()), (CLASSES.into(), 0));
    }
}
