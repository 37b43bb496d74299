//! Threads that run jobs one after the other, and coroutines that move between them.

#![allow(dead_code, reason = "every test file compiles this module for itself and uses a part of it")]

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use corosensei::{Coroutine, CoroutineResult};

pub(crate) type Yielder = corosensei::Yielder<(), ()>;

/// A thread that lives until it is told to exit.
pub(crate) struct Worker {
    jobs: Sender<Box<dyn FnOnce() + Send>>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn start() -> Self {
        let (jobs, queue) = channel::<Box<dyn FnOnce() + Send>>();
        Self { jobs, thread: thread::spawn(move || queue.into_iter().for_each(|job| job())) }
    }

    /// Runs `job` on the thread and waits for its result.
    pub(crate) fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> R {
        self.begin(job)()
    }

    /// Runs `job` on the thread. The returned function waits for the result.
    pub(crate) fn begin<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Box<dyn FnOnce() -> R> {
        let (give, take) = channel();
        let job = move || give.send(job()).expect("the test waits for the result");
        self.jobs.send(Box::new(job)).expect("the thread lives");
        Box::new(move || take.recv().expect("the job panicked"))
    }

    /// Ends the thread, and waits until it is gone.
    pub(crate) fn exit(self) {
        drop(self.jobs);
        self.thread.join().unwrap();
    }
}

/// A coroutine that any thread may resume.
pub(crate) struct Moving(Coroutine<(), (), ()>);

// SAFETY: everything that these tests leave on the stack of a suspended coroutine may be used on any thread:
// numbers, references to allocators, blocks, and the note that `unpooled` makes of where it began.
unsafe impl Send for Moving {}

impl Moving {
    /// Starts a coroutine, which has to suspend.
    pub(crate) fn start(body: impl FnOnce(&Yielder) + 'static) -> Self {
        let mut moving = Self(Coroutine::new(move |yielder, ()| body(yielder)));
        moving.go_on();
        moving
    }

    /// Resumes the coroutine, which has to suspend again.
    pub(crate) fn go_on(&mut self) {
        assert_eq!(self.0.resume(()), CoroutineResult::Yield(()));
    }

    /// Resumes the coroutine, which has to end, and unmaps its stack.
    pub(crate) fn end(mut self) {
        assert_eq!(self.0.resume(()), CoroutineResult::Return(()));
    }

    /// Resumes the coroutine and returns whether it has ended.
    pub(crate) fn step(&mut self) -> bool {
        self.0.resume(()) == CoroutineResult::Return(())
    }
}
