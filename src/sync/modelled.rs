//! The model checker's atomics, fences and lock, in place of the native ones.

use core::ops::Deref;

use super::UnsyncLoad;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{
    self as model,
    Ordering::{self, Acquire, Relaxed, Release, SeqCst},
    fence,
};

pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};

/// A full fence: the model's processors have no `membarrier`, so both sides pay.
pub(crate) fn light_fence() {
    fence(SeqCst);
}

#[must_use]
pub(crate) fn heavy_fence() -> bool {
    fence(SeqCst);
    true
}

macro_rules! load_unsync {
    ($($atomic:ty: $value:ty),+) => {
        $(impl UnsyncLoad for $atomic {
            type Value = $value;

            unsafe fn load_unsync(&self) -> $value {
                // SAFETY: the caller's contract, which loom checks.
                unsafe { self.unsync_load() }
            }
        })+
    };
}
load_unsync!(AtomicU32: u32, AtomicUsize: usize, AtomicPtr<u8>: *mut u8);

/// Lets the other threads go on, and makes the next load return a newer value if there is one.
pub(crate) fn lost_race() {
    loom::thread::yield_now();
}

/// Defines atomics with `SeqCst` loads that are stronger than loom's.
///
/// loom treats `SeqCst` as `AcqRel`. So its loads may return older values than the single order of all
/// `SeqCst` operations allows. Here such a load is a read-modify-write that changes nothing, and always
/// returns the latest value.
macro_rules! with_strong_loads {
    ($($atomic:ident of $value:ty, nothing: $nothing:expr;)+) => {
        $(
            pub(crate) struct $atomic(model::$atomic);

            impl $atomic {
                pub(crate) fn new(value: $value) -> Self {
                    Self(model::$atomic::new(value))
                }

                pub(crate) fn load(&self, order: Ordering) -> $value {
                    if order == SeqCst { self.0.fetch_or($nothing, Acquire) } else { self.0.load(order) }
                }
            }

            impl Deref for $atomic {
                type Target = model::$atomic;

                fn deref(&self) -> &Self::Target {
                    &self.0
                }
            }
        )+
    };
}
with_strong_loads! {
    AtomicBool of bool, nothing: false;
    AtomicU8 of u8, nothing: 0;
    AtomicU64 of u64, nothing: 0;
}

/// A lock that is only tried, as the native one is. loom's own mutex makes the trying thread wait.
pub(crate) struct TryLock<T> {
    is_held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `try_with` gives the value to one thread at a time.
unsafe impl<T: Send> Sync for TryLock<T> {}

impl<T> TryLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { is_held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.is_held.compare_exchange(false, true, Acquire, Relaxed).ok()?;
        // SAFETY: the thread that changed the flag to `true` has the value until it changes the flag back.
        let result = self.value.with_mut(|value| f(unsafe { &mut *value }));
        self.is_held.store(false, Release);
        Some(result)
    }

    /// # Safety
    ///
    /// No thread of this process holds the lock or tries to take it.
    pub(crate) unsafe fn reopen(&self) {
        self.is_held.store(false, Release);
    }
}
