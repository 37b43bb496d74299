//! What this crate does when the program or the library that it is part of is loaded, before anything of that runs.
//!
//! The loader calls what `.init_array` lists; those with a number first, as std's own (`00099`). There the crate
//!
//! - keeps the environment variable `FRAMEPOOL` as it is then;
//! - keeps the library from being unloaded (`os/pin.rs`), and makes the one thread key of this copy of the crate, for all its
//!   allocators: early, so that its number is low;
//! - registers what runs in the child of a `fork` and at exit. The C library takes a lock for that, and may allocate.
//!
//! A thread that allocates even earlier finds no key, and asks again on its next slow path.

use crate::lifecycle::thread::on_thread_exit;
use crate::os;

/// Kept by the compiler, because of `used`, and by linkers, because start-up refers to it: C linkers take from an archive only what something
/// refers to.
#[cfg(unix)]
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array.00099"))]
static CONSTRUCTOR: extern "C" fn() = construct;

#[cfg(unix)]
extern "C" fn construct() {
    use crate::lifecycle::registry::{settle_children, write_exit_outputs};

    os::keep_variable();
    os::ExitHook::install(on_thread_exit);
    os::after_fork(settle_children);
    // Without the variable no allocator has anything to show.
    if os::variable().is_some() {
        os::at_exit(write_exit_outputs);
    }
}

/// How threads' exits are watched; `None` before the constructor has run, and where they cannot be.
#[inline]
pub(crate) fn exit_hook() -> Option<os::ExitHook> {
    #[cfg(unix)]
    core::hint::black_box(&raw const CONSTRUCTOR);
    os::ExitHook::get()
}
