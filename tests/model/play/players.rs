//! Threads that do what they are told, one at a time: each has caches of its own, and nobody is in the middle of anything.

use std::sync::mpsc::{Sender, channel};
use std::thread;

type Task = Box<dyn FnOnce() + Send>;

/// Two threads beside the one that plays, for as long as there is this.
pub(crate) struct Players([Sender<Task>; 2]);

impl Players {
    pub(crate) fn new() -> Self {
        Self([(); 2].map(|()| {
            let (give, tasks) = channel::<Task>();
            thread::spawn(move || tasks.into_iter().for_each(|task| task()));
            give
        }))
    }

    /// Has `task` done by a thread, and waits for it; 0 is this one.
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
