//! The atomics, the fence pair and the lock that everything above is written with: real ones, or the model checker's.
//!
//! One room for them, so that loom can be put in their place without touching the code that it checks.
//!
//! **The fence pair** makes a cheap side pay nothing: [`light_fence`] only stops the compiler, and [`heavy_fence`] makes every
//! processor that runs this process pass a full fence (`membarrier`). Of a store before a light fence and a load after it, and a
//! store before a heavy fence and a load after it, at least one load sees the other side's store (Dice, Huang and Yang 2001).

mod sleep;

pub(crate) use core::sync::atomic::Ordering;

pub(crate) use imp::*;
pub(crate) use sleep::{Condvar, Lock};

#[cfg(not(target_has_atomic = "64"))]
compile_error!("framepool needs 64-bit atomics: its counters and slot sets are made of them");

/// A constructor that is `const`, but for the model checker, whose atomics cannot be made so.
macro_rules! const_unless_modelled {
    ($visibility:vis fn new($($argument:ident: $type:ty)?) -> Self $body:block) => {
        #[cfg(not(framepool_loom))]
        $visibility const fn new($($argument: $type)?) -> Self $body

        #[cfg(framepool_loom)]
        $visibility fn new($($argument: $type)?) -> Self $body
    };
}
pub(crate) use const_unless_modelled;

/// A plain read, which the compiler may fold into the instruction that uses it.
pub(crate) trait ReadOwn {
    type Value;

    /// # Safety
    ///
    /// No other thread writes this now. (The model checker sees to it.)
    unsafe fn read_own(&self) -> Self::Value;
}

/// What is written at most once, before anybody else reads it, so that reading costs what a constant's reading does.
#[cfg(not(framepool_loom))]
pub(crate) struct SetOnce<T>(core::cell::UnsafeCell<T>);

// SAFETY: shared readers get shared references, and by `set_with`'s contract there is no writer beside them.
#[cfg(not(framepool_loom))]
unsafe impl<T: Send + Sync> Sync for SetOnce<T> {}

/// A panic elsewhere leaves nothing half written: nobody can read while it is written.
#[cfg(not(framepool_loom))]
impl<T: core::panic::RefUnwindSafe> core::panic::RefUnwindSafe for SetOnce<T> {}

#[cfg(not(framepool_loom))]
impl<T> SetOnce<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// # Safety
    ///
    /// Called by one thread, and whoever calls [`get`](Self::get) without being the caller knows that it has returned.
    pub(crate) unsafe fn set_with(&self, change: impl FnOnce(&mut T)) {
        // SAFETY: by contract nobody has a reference to it.
        change(unsafe { &mut *self.0.get() });
    }

    /// # Safety
    ///
    /// [`set_with`](Self::set_with) has returned, as far as this thread can see, or will never be called.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: by contract nobody writes it any more.
        unsafe { &*self.0.get() }
    }
}

#[cfg(not(framepool_loom))]
mod imp {
    use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

    use super::ReadOwn;

    pub(crate) use core::sync::atomic::{
        AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
    };

    #[inline(always)]
    pub(crate) fn light_fence() {
        compiler_fence(SeqCst);
    }

    /// Between two passes of a loop in which another thread was quicker. It has got on, so there is nothing to wait for.
    #[inline(always)]
    pub(crate) fn overtaken() {}

    /// Only after [`os::can_fence_all`](crate::os::can_fence_all) said yes. `false` if there was no fence.
    #[must_use]
    pub(crate) fn heavy_fence() -> bool {
        crate::os::fence_all()
    }

    macro_rules! read_own {
        ($($atomic:ty: $value:ty),+) => {
            $(impl ReadOwn for $atomic {
                type Value = $value;

                #[inline(always)]
                unsafe fn read_own(&self) -> $value {
                    // SAFETY: valid and aligned; by contract no write races with this.
                    unsafe { *self.as_ptr() }
                }
            })+
        };
    }
    read_own!(AtomicU32: u32, AtomicUsize: usize, AtomicPtr<u8>: *mut u8);

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
}

#[cfg(framepool_loom)]
mod imp {
    use core::ops::Deref;

    use super::ReadOwn;
    use loom::cell::UnsafeCell;
    use loom::sync::atomic::{
        self as model,
        Ordering::{self, Acquire, Relaxed, Release, SeqCst},
        fence,
    };

    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};

    /// The model's processors have no `membarrier`, so both sides pay.
    pub(crate) fn light_fence() {
        fence(SeqCst);
    }

    #[must_use]
    pub(crate) fn heavy_fence() -> bool {
        fence(SeqCst);
        true
    }

    macro_rules! read_own {
        ($($atomic:ty: $value:ty),+) => {
            $(impl ReadOwn for $atomic {
                type Value = $value;

                unsafe fn read_own(&self) -> $value {
                    // SAFETY: the caller's contract, which loom checks.
                    unsafe { self.unsync_load() }
                }
            })+
        };
    }
    read_own!(AtomicU32: u32, AtomicUsize: usize, AtomicPtr<u8>: *mut u8);

    /// Lets the others go on, and makes sure that what was read before is not read again if there is newer.
    pub(crate) fn overtaken() {
        loom::thread::yield_now();
    }

    /// loom takes `SeqCst` for `AcqRel`, so its loads may miss what the one order of all `SeqCst` operations puts before them. Here they are
    /// read-modify-writes that change nothing, which miss nothing.
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

    /// What `spin`'s is; not loom's own mutex, which makes who tries wait.
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
            // SAFETY: whoever changed the flag to `true` has the value until it changes it back.
            let result = self.value.with_mut(|value| f(unsafe { &mut *value }));
            self.is_held.store(false, Release);
            Some(result)
        }

        /// # Safety
        ///
        /// No thread that lives holds it or tries to get it.
        pub(crate) unsafe fn reopen(&self) {
            self.is_held.store(false, Release);
        }
    }
}
