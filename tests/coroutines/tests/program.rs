//! A program that links the library, so that its thread-locals are at fixed distances from the thread's own
//! address.

mod alone;
mod checks;

fn check(number: usize) {
    assert!(framepool_coroutines::framepool_coroutines_check(number));
}
