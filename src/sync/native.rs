//! The processor's own atomics, fences and lock.

use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

use super::UnsyncLoad;

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};

#[inline(always)]
pub(crate) fn light_fence() {
    compiler_fence(SeqCst);
}

/// Between two passes of a loop in which another thread was quicker. It has got on, so there is nothing to wait for.
#[inline(always)]
pub(crate) fn lost_race() {}

/// Only after [`os::can_fence_all`](crate::os::can_fence_all) said yes. `false` if there was no fence.
#[must_use]
pub(crate) fn heavy_fence() -> bool {
    crate::os::fence_all()
}

macro_rules! load_unsync {
    ($($atomic:ty: $value:ty),+) => {
        $(impl UnsyncLoad for $atomic {
            type Value = $value;

            #[inline(always)]
            unsafe fn load_unsync(&self) -> $value {
                // SAFETY: valid and aligned; by contract no write races with this.
                unsafe { *self.as_ptr() }
            }
        })+
    };
}
load_unsync!(AtomicU32: u32, AtomicUsize: usize, AtomicPtr<u8>: *mut u8);

/// A lock that nobody ever waits for.
pub(crate) struct TryLock<T>(spin::Mutex<T>);

impl<T> TryLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(spin::Mutex::new(value))
    }

    /// Runs `f` with the lock held; `None`, at once, if somebody else holds it.
    pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().map(|mut value| f(&mut value))
    }

    /// Opens the lock that a thread held which a `fork` left behind.
    ///
    /// # Safety
    ///
    /// No thread that lives holds it or tries to get it.
    pub(crate) unsafe fn reopen(&self) {
        // SAFETY: nobody holds the lock, by contract, so nothing is unlocked under anybody's feet.
        unsafe { self.0.force_unlock() };
    }
}
