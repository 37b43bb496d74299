//! Threads that run tasks, one task at a time. Each has magazines of its own, and no two are inside the
//! allocator at once.

use std::sync::mpsc::{Sender, channel};
use std::thread;

type Task = Box<dyn FnOnce() + Send>;

/// Two threads beside the one that plays the game. They exit when this value is dropped.
pub(crate) struct Players([Sender<Task>; 2]);

impl Players {
    pub(crate) fn new() -> Self {
        Self([(); 2].map(|()| {
            let (give, tasks) = channel::<Task>();
            thread::spawn(move || tasks.into_iter().for_each(|task| task()));
            give
        }))
    }

    /// Runs `task` on the thread with this number, and waits for its result. Number 0 is the calling thread.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        thread: usize,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> R {
        let Some(other) = thread.checked_sub(1) else { return task() };
        let (give, answer) = channel();
        self.0[other].send(Box::new(move || _ = give.send(task()))).expect("a player is gone");
        answer.recv().expect("a player has failed")
    }
}

/// Sets `errno` of the calling thread, where it is known how.
pub(super) fn set_errno(errno: i32) {
    #[cfg(target_os = "linux")]
    // SAFETY: `errno` is this thread's own.
    unsafe {
        *libc::__errno_location() = errno;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = errno;
}
