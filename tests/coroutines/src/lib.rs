//! Coroutines that use an allocator on one thread, suspend, and use it again on another thread, all in one
//! function.
//!
//! A compiler assumes that a function runs on one thread. It may compute the address of a thread-local once,
//! and use it again after the function was suspended and resumed by another thread. Then two threads use one
//! thread's state.
//!
//! The compiler can do so only where it has inlined the allocator into the coroutine. It inlines a function
//! of any size that has one caller. So each coroutine here has an allocator of its own type, and calls each
//! operation in one place.
//!
//! The tests link this library into a program, and load it as a plug-in, because thread-locals are addressed
//! differently in each. With the feature `global`, the coroutines use `Box` and `Vec` instead, and the
//! library has a `#[global_allocator]`.

#[cfg(not(feature = "global"))]
mod direct;
#[cfg(feature = "global")]
mod global;
mod turns;

#[cfg(not(feature = "global"))]
use direct::CHECKS;
#[cfg(feature = "global")]
use global::CHECKS;

/// Runs the check of this number and returns whether it passed. Writes what it found to standard error.
#[unsafe(no_mangle)]
pub extern "C" fn framepool_coroutines_check(number: usize) -> bool {
    let result = CHECKS[number]();
    if let Err(text) = &result {
        eprintln!("{text}");
    }
    result.is_ok()
}
