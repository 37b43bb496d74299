//! A value that start-up may change.

/// A value that only start-up writes, before other threads read it. So reading it costs as much as reading a
/// constant.
pub(crate) struct StartUpCell<T>(core::cell::UnsafeCell<T>);

// SAFETY: shared readers get shared references, and by `set_with`'s contract there is no writer beside them.
unsafe impl<T: Send + Sync> Sync for StartUpCell<T> {}

/// A panic shows no half-written value to readers: no thread reads while start-up writes.
impl<T: core::panic::RefUnwindSafe> core::panic::RefUnwindSafe for StartUpCell<T> {}

impl<T> StartUpCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// # Safety
    ///
    /// Only one thread calls this, and uses no reference from [`get`](Self::get) meanwhile. Other threads
    /// call `get` only if they know that all calls of this have returned.
    pub(crate) unsafe fn set_with(&self, change: impl FnOnce(&mut T)) {
        // SAFETY: by contract no reference to the value is in use.
        change(unsafe { &mut *self.0.get() });
    }

    /// # Safety
    ///
    /// All calls of [`set_with`](Self::set_with) by other threads have returned, as far as this thread can
    /// see. No call runs while the reference is used.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: by contract no thread writes the value while the reference is used.
        unsafe { &*self.0.get() }
    }
}
