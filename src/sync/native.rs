//! The processor's own atomics, fences and lock.

use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

use super::UnsyncLoad;

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};

#[inline(always)]
pub(crate) fn light_fence() {
    compiler_fence(SeqCst);
}

/// Does nothing. It is called after a lost race: the other thread has made progress, so there is nothing to
/// wait for.
#[inline(always)]
pub(crate) fn lost_race() {}

/// Makes every thread of this process pass a full fence. Called only if
/// [`os::can_fence_all`](crate::os::can_fence_all) returned `true`. Returns `false` if the system denied the
/// fence.
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

/// A lock that is only tried: no thread waits for it.
pub(crate) struct TryLock<T>(spin::Mutex<T>);

impl<T> TryLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(spin::Mutex::new(value))
    }

    /// Runs `f` with the lock held. Returns `None` at once if another thread holds it.
    pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().map(|mut value| f(&mut value))
    }

    /// Opens a lock that was held by a thread that a `fork` left behind.
    ///
    /// # Safety
    ///
    /// No thread of this process holds the lock or tries to take it.
    pub(crate) unsafe fn reopen(&self) {
        // SAFETY: by contract no thread of this process holds the lock, so this takes it from none.
        unsafe { self.0.force_unlock() };
    }
}
