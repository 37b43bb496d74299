//! The pthread key whose destructor runs when a thread exits.

use core::ffi::c_void;
use core::ptr::NonNull;
// Below `sync`: a model checker has no pthread keys.
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use super::super::{OnThreadExit, keeping_errno, local};
use super::calls;
use super::pin::stays_mapped;

/// The pthread key of this copy of the crate. Its destructor runs at a thread's exit if the thread has a
/// value for it. All allocators share the key: a process has 1,024 keys, or 128 with musl.
#[derive(Clone, Copy)]
pub(crate) struct ExitHook(libc::pthread_key_t);

/// The state of the key: `NOT_YET`, `NEVER`, or the key plus `FIRST_KEY`. Written by the constructor
/// (Release), and read (Acquire).
static KEY: AtomicUsize = AtomicUsize::new(NOT_YET);
/// The constructor has not run yet.
const NOT_YET: usize = 0;
/// There will never be a key.
const NEVER: usize = 1;
const FIRST_KEY: usize = 2;

impl ExitHook {
    /// Makes the key, unless this code may be unloaded while threads live, a thread's values may be lost before its
    /// end, or the process has no key left. For the constructor.
    pub(crate) fn install(on_exit: OnThreadExit) {
        let create = || {
            let mut key = 0;
            // SAFETY: the place for the key is valid. The destructor has the right type and stays mapped.
            let denied = unsafe { libc::pthread_key_create(&mut key, Some(on_exit)) };
            if denied == 0 { key as usize + FIRST_KEY } else { NEVER }
        };
        keeping_errno(|| {
            KEY.store(if local::KEEPS_VALUES && stays_mapped() { create() } else { NEVER }, Release)
        });
    }

    /// Returns the key; `None` if there is none yet, or if there will never be one.
    pub(crate) fn get() -> Option<Self> {
        let key = KEY.load(Acquire);
        (key >= FIRST_KEY).then(|| Self((key - FIRST_KEY) as libc::pthread_key_t))
    }

    /// Whether there will never be a key.
    pub(crate) fn is_never() -> bool {
        KEY.load(Acquire) == NEVER
    }

    /// Registers the destructor to be called with `value` when this thread exits. Returns `false` if the
    /// system denies that.
    ///
    /// glibc has room in each thread for keys below 32, and allocates for others. This call may come from a
    /// signal handler that interrupted `malloc`. So for a key of 32 or more, nothing is called at the
    /// thread's exit. The thread's place is found [by a later claim](crate::lifecycle::orphans).
    pub(crate) fn watch_this_thread(self, value: NonNull<c_void>) -> bool {
        const KEYS_WITH_ROOM: libc::pthread_key_t = 32;
        if cfg!(target_env = "gnu") && self.0 >= KEYS_WITH_ROOM {
            return true;
        }
        // SAFETY: the key was created and is never deleted.
        keeping_errno(|| unsafe { calls::pthread_setspecific(self.0, value.as_ptr()) == 0 })
    }
}
