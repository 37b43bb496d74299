//! The constructor: what this crate does when its program or library is loaded, before the program's own code
//! runs.
//!
//! The loader calls the functions that `.init_array` lists. Those with a number come first, lowest number
//! first. This one has std's own number, `00099`. The constructor
//!
//! - keeps the environment variable `FRAMEPOOL` as it is then, and reads glibc's own. A program that opens the library
//!   while another thread changes the environment risks what any `getenv` risks then;
//! - keeps the library from being unloaded (`os/pin.rs`), and makes the one thread key that all allocators of
//!   this copy of the crate share. It is early, so that the key's number is low;
//! - registers what runs in the child of a `fork` and at exit. The C library takes a lock for that, and may
//!   allocate.
//!
//! If a thread allocates even earlier, it finds no key. It asks again on its next slow path.

use crate::lifecycle::thread::on_thread_exit;
use crate::os;

/// The constructor's entry in the loader's list. The compiler keeps it because of `used`, and linkers because
/// start-up refers to it. (C linkers take from an archive only what is referred to.)
#[cfg(unix)]
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array.00099"))]
static CONSTRUCTOR: extern "C" fn() = construct;

#[cfg(unix)]
extern "C" fn construct() {
    use crate::lifecycle::registry::{settle_children, write_exit_outputs};

    os::keep_variable();
    os::read_tunables();
    os::ExitHook::install(on_thread_exit);
    os::after_fork(settle_children);
    // If the variable is not set, no allocator has anything to write.
    if os::variable().is_some() {
        os::at_exit(write_exit_outputs);
    }
}

/// Returns the hook that watches threads' exits. `None` before the constructor has run, and where exits
/// cannot be watched.
#[inline]
pub(crate) fn exit_hook() -> Option<os::ExitHook> {
    #[cfg(unix)]
    core::hint::black_box(&raw const CONSTRUCTOR);
    os::ExitHook::get()
}
