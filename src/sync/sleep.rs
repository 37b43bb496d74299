//! A lock that blocks, and sleep under it: std's mutex and condition variable, or loom's. No path of a global
//! allocator uses it.

use std::sync::PoisonError;
use std::time::Instant;

#[cfg(framepool_loom)]
use loom::sync::Mutex;
#[cfg(not(framepool_loom))]
use std::sync::Mutex;

#[cfg(framepool_loom)]
pub(crate) use loom::sync::Condvar;
#[cfg(not(framepool_loom))]
pub(crate) use std::sync::Condvar;

/// A lock without poison: the value it guards is consistent whenever code outside this crate runs.
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sleeps until `is_done` returns `true`, or until the deadline, if there is one. Then runs `then` under
    /// the same lock. `is_done` runs under the lock, at first and after each `wakeup`.
    pub(crate) fn wait<R>(
        &self,
        wakeup: &Condvar,
        deadline: Option<Instant>,
        mut is_done: impl FnMut(&mut T) -> bool,
        then: impl FnOnce(&mut T) -> R,
    ) -> R {
        let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_done(&mut value) {
            let Some(deadline) = deadline else {
                value = wakeup.wait(value).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                break;
            };
            (value, _) = wakeup.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner);
        }
        then(&mut value)
    }
}
