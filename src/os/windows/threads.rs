//! Threads: their numbers, their exits, and whether one still lives.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
// Below `sync`: a model checker has no loader.
use core::sync::atomic::{
    AtomicU8,
    Ordering::{Acquire, Release},
};

use super::super::{Errno, Hooks, keeping_errno, local};
use super::api;
use super::files::keep_variable;

/// Returns the number of this process.
pub(crate) fn this_process() -> u64 {
    // SAFETY: the call takes nothing, and cannot fail.
    unsafe { api::GetCurrentProcessId() }.into()
}

/// Returns this thread and its process in one number, which is not 0 and has its highest bit clear.
pub(crate) fn this_thread() -> u64 {
    // SAFETY: the call takes nothing, and cannot fail.
    let thread = u64::from(unsafe { api::GetCurrentThreadId() });
    (this_process() << 32 | thread) & !(1 << 63)
}

/// Returns `false`: there is no `fork`.
pub(crate) fn is_first_thread() -> bool {
    false
}

/// Whether a thread of this process that `this_thread` named has ended. `false` too if another thread has its number
/// by now, or if the system does not tell.
pub(crate) fn is_gone(thread: u64, _: u64) -> bool {
    keeping_errno(|| {
        // SAFETY: the calls take numbers, and a handle that was opened just now.
        unsafe {
            let handle = api::OpenThread(api::SYNCHRONIZE, 0, thread as u32);
            if handle.is_null() {
                return Errno::last().code() == api::ERROR_INVALID_PARAMETER;
            }
            // A thread that has ended keeps its number while there is a handle of it.
            let has_ended = api::WaitForSingleObject(handle, 0) == api::WAIT_OBJECT_0;
            api::CloseHandle(handle);
            has_ended
        }
    })
}

/// The loader's callback at the exit of a thread. It asks for no registration: it finds the thread's place by itself.
#[derive(Clone, Copy)]
pub(crate) struct ExitHook(());

/// `NOT_YET`, `NEVER` or `THERE`. Written by the callback (Release), and read (Acquire).
static STATE: AtomicU8 = AtomicU8::new(NOT_YET);
/// The callback has not run yet.
const NOT_YET: u8 = 0;
/// The exits of threads cannot be watched.
const NEVER: u8 = 1;
const THERE: u8 = 2;

/// Does what the callback has to do when the program or library is loaded: keeps the environment variable as it is, and
/// the library from being unloaded, because threads call into it when they exit.
pub(crate) fn at_load(hooks: &Hooks) {
    // Not called: there is no `fork`, and the callback calls the others.
    let _ = (hooks.child, hooks.thread_exit, hooks.program_exit);
    keep_variable();
    let mut module = ptr::null_mut();
    let address = (&raw const STATE).cast();
    // SAFETY: an address in this program or library, and a valid place for the answer.
    let stays = unsafe { api::GetModuleHandleExW(api::FROM_ADDRESS_PINNED, address, &mut module) } != 0;
    STATE.store(if local::KEEPS_VALUES && stays { THERE } else { NEVER }, Release);
}

/// Registers `run` to be called when the program exits normally.
pub(crate) fn at_exit(run: extern "C" fn()) {
    unsafe extern "C" {
        safe fn atexit(run: extern "C" fn()) -> i32;
    }
    // If there is no memory for the registration, `run` is not called.
    let _ = atexit(run);
}

impl ExitHook {
    /// Returns the hook; `None` if there is none yet, or if there will never be one.
    pub(crate) fn get() -> Option<Self> {
        (STATE.load(Acquire) == THERE).then_some(Self(()))
    }

    /// Whether there will never be a hook.
    pub(crate) fn is_never() -> bool {
        STATE.load(Acquire) == NEVER
    }

    /// Does nothing, and returns `true`.
    pub(crate) fn watch_this_thread(self, _: NonNull<c_void>) -> bool {
        true
    }
}
