//! A host that loads the library as a plug-in, so that code finds its thread-locals through the C library.

#![cfg(target_os = "linux")]

mod alone;
mod checks;

use std::env;
use std::ffi::CString;

/// Loads the library that was built beside this test, and runs one of its checks.
fn check(number: usize) {
    let test = env::current_exe().unwrap();
    let folders = test.ancestors().skip(1).take(2);
    let library = folders.map(|folder| folder.join("libframepool_coroutines.so")).find(|file| file.exists());
    let library = CString::new(library.expect("cargo builds it with the tests").to_str().unwrap()).unwrap();
    // SAFETY: the library's constructors are those of the C library and of Rust.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    assert!(!handle.is_null());
    // SAFETY: a handle that is open, and the name of a function that is exported.
    let function = unsafe { libc::dlsym(handle, c"framepool_coroutines_check".as_ptr()) };
    assert!(!function.is_null());
    // SAFETY: the type that the library defines it with.
    let function =
        unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn(usize) -> bool>(function) };
    assert!(function(number));
}
