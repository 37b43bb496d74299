//! The constructor: what this crate does when its program or library is loaded, before the program's own code
//! runs.
//!
//! On Unix the loader calls the functions that `.init_array` lists. Those with a number come first, lowest number
//! first. This one has std's own number, `00099`. The constructor
//!
//! - keeps the environment variable `FRAMEPOOL` as it is then, and reads glibc's own. A program that opens the library
//!   while another thread changes the environment risks what any `getenv` risks then;
//! - keeps the library from being unloaded (`os/unix/pin.rs`), and makes the one thread key that all allocators of
//!   this copy of the crate share. It is early, so that the key's number is low;
//! - registers what runs in the child of a `fork` and at exit. The C library takes a lock for that, and may
//!   allocate.
//!
//! On Windows the loader calls the functions of `.CRT$XLA` to `.CRT$XLZ`, in this order, when the program or library is
//! loaded, when a thread exits, and when the program ends. This one comes after std's, which is in `.CRT$XLB` and runs a
//! thread's destructors. The callback
//!
//! - keeps the library from being unloaded;
//! - ends the place of a thread that exits, and writes the statistics when the program ends, also by `ExitProcess`. In
//!   Wine it is not called then, so the C library is asked too, at start-up: before, it is not ready.
//!
//! If a thread allocates even earlier, it finds no hook. It asks again on its next slow path.

use crate::os;

/// Returns the hook that watches threads' exits. `None` before the constructor has run, and where exits
/// cannot be watched.
#[inline]
pub(crate) fn exit_hook() -> Option<os::ExitHook> {
    #[cfg(all(any(unix, windows), not(framepool_os = "none")))]
    entry::keep();
    // There is no constructor, and nothing to do for one.
    #[cfg(not(all(any(unix, windows), not(framepool_os = "none"))))]
    os::at_load(&HOOKS);
    os::ExitHook::get()
}

/// Has the C library call, when the program ends, what writes the statistics. For a start-up after which there is
/// something to write. On Unix, the constructor has seen to that.
pub(crate) fn watch_program_exit() {
    #[cfg(all(windows, not(framepool_os = "none")))]
    os::at_exit(HOOKS.program_exit);
}

const HOOKS: os::Hooks = os::Hooks {
    thread_exit: crate::lifecycle::thread::on_thread_exit,
    child: crate::lifecycle::registry::settle_children,
    program_exit: crate::lifecycle::registry::write_exit_outputs,
};

#[cfg(all(unix, not(framepool_os = "none")))]
mod entry {
    /// The constructor's entry in the loader's list. The compiler keeps it because of `used`, and linkers because
    /// start-up refers to it. (C linkers take from an archive only what is referred to.)
    #[used]
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
    #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array.00099"))]
    static CONSTRUCTOR: extern "C" fn() = construct;

    extern "C" fn construct() {
        crate::os::at_load(&super::HOOKS);
    }

    /// Refers to the entry.
    #[inline]
    pub(super) fn keep() {
        core::hint::black_box(&raw const CONSTRUCTOR);
    }
}

#[cfg(all(windows, not(framepool_os = "none")))]
mod entry {
    use core::ffi::c_void;

    use crate::thread::current;

    type Callback = unsafe extern "system" fn(*mut c_void, u32, *mut c_void);

    /// The callback's entry in the loader's list, kept as on Unix.
    #[used]
    #[unsafe(link_section = ".CRT$XLY")]
    static CALLBACK: Callback = call_back;

    unsafe extern "C" {
        /// A symbol of the C library's start files, which makes the linker write the list.
        static _tls_used: u8;
    }

    /// # Safety
    ///
    /// The loader calls this.
    unsafe extern "system" fn call_back(_: *mut c_void, reason: u32, _: *mut c_void) {
        const PROCESS_DETACH: u32 = 0;
        const PROCESS_ATTACH: u32 = 1;
        const THREAD_DETACH: u32 = 3;
        match reason {
            PROCESS_ATTACH => crate::os::at_load(&super::HOOKS),
            THREAD_DETACH => {
                let own = current::own_state();
                if !own.is_null() {
                    // SAFETY: this thread's place, whose exit is watched.
                    unsafe { (super::HOOKS.thread_exit)(own.cast_mut().cast()) };
                }
            }
            // The end of the process, or of a library that could not be kept.
            PROCESS_DETACH => (super::HOOKS.program_exit)(),
            _ => {}
        }
    }

    /// Refers to the entry and the list.
    #[inline]
    pub(super) fn keep() {
        core::hint::black_box((&raw const CALLBACK, &raw const _tls_used));
    }
}
