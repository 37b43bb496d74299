//! The server's threads: made one after the other, started all at once.
//!
//! Each thread is up before the next is made, and none works before all are up. The time that starting
//! threads takes therefore delays no thread's work. The standard library allocates for its own list of
//! threads, which depends on the order in which threads start and end. With this order, those allocations are
//! the same in the first run of every process. If the system denies a thread, the threads before it end
//! without doing their work.

use std::io;
use std::sync::{Arc, Barrier, OnceLock};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Instant;

/// The time at which the work starts, or `None` if it never does.
pub(super) type Gate = OnceLock<Option<Instant>>;

/// The threads of one run.
pub(super) struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    gate: &'scope Gate,
}

impl<'scope, 'env> Crew<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, gate: &'scope Gate) -> Self {
        Self { scope, gate }
    }

    /// Makes a thread that does its work once the crew starts. The system's tools show it by `name`.
    ///
    /// # Errors
    ///
    /// The system denies the thread.
    pub(super) fn hire<T: Send + 'scope>(
        &self,
        name: String,
        work: impl FnOnce(Instant) -> T + Send + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, Option<T>>> {
        let (gate, up) = (self.gate, Arc::new(Barrier::new(2)));
        let is_up = Arc::clone(&up);
        let thread = Builder::new().name(name).spawn_scoped(self.scope, move || {
            is_up.wait();
            gate.wait().map(work)
        })?;
        up.wait();
        Ok(thread)
    }

    /// Starts the work of all threads, and returns the start time.
    pub(super) fn start(&self) -> Instant {
        self.gate.get_or_init(|| Some(Instant::now())).unwrap_or_else(Instant::now)
    }
}

impl Drop for Crew<'_, '_> {
    /// Ends all threads that never started their work.
    fn drop(&mut self) {
        self.gate.get_or_init(|| None);
    }
}

/// Returns the thread's result, or `None` if it never started its work. A panic of the thread continues in
/// the calling thread.
pub(super) fn join<T>(thread: ScopedJoinHandle<'_, Option<T>>) -> Option<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn no_thread_works_before_the_start_and_none_at_all_without_one() {
        let worked = AtomicU32::new(0);
        for starts in [false, true] {
            let gate = Gate::default();
            let done = thread::scope(|scope| {
                let crew = Crew::new(scope, &gate);
                let count = |_| worked.fetch_add(1, Ordering::Relaxed);
                let hired = [(); 3].map(|()| crew.hire("hand".to_owned(), count).expect("a thread"));
                assert_eq!(worked.load(Ordering::Relaxed), 0);
                if starts {
                    crew.start();
                }
                drop(crew);
                hired.map(join).into_iter().flatten().count()
            });
            assert_eq!((done, worked.load(Ordering::Relaxed)), if starts { (3, 3) } else { (0, 0) });
        }
    }
}
