//! A value that start-up may change once.

/// What is written at most once, before anybody else reads it, so that reading costs what a constant's reading does.
pub(crate) struct StartUpCell<T>(core::cell::UnsafeCell<T>);

// SAFETY: shared readers get shared references, and by `set_with`'s contract there is no writer beside them.
unsafe impl<T: Send + Sync> Sync for StartUpCell<T> {}

/// A panic elsewhere leaves nothing half written: nobody can read while it is written.
impl<T: core::panic::RefUnwindSafe> core::panic::RefUnwindSafe for StartUpCell<T> {}

impl<T> StartUpCell<T> {
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
