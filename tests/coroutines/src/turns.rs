//! Threads that take turns at coroutines.

use std::sync::Mutex;
use std::thread;

use corosensei::{Coroutine, CoroutineResult};
use framepool::{Class, Config};

/// Suspends a coroutine, which gives out an address.
pub(crate) type Yielder = corosensei::Yielder<(), usize>;

/// The body of a coroutine: one function, so that the compiler sees all of it at once.
pub(crate) type Body = fn(&Yielder) -> Counts;

/// Slots that are small enough for a thread to have a magazine of each class from the start.
pub(crate) const CONFIG: Config = Config::new()
    .class(Class::Small, 1 << 10, 128)
    .class(Class::Medium, 2 << 10, 64)
    .class(Class::Large, 4 << 10, 64)
    .class(Class::XLarge, 8 << 10, 64);

/// The number of rounds that a body makes.
pub(crate) const ROUNDS: usize = if cfg!(debug_assertions) { 400 } else { 8_000 };

const THREADS: u64 = 4;
const COROUTINES: usize = 16;

/// Counts of the requests that coroutines made, and of their outcomes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// Requests that a pool served.
    pub(crate) pooled: u64,
    /// Blocks that were null, or that did not hold what they had to hold.
    pub(crate) broken: u64,
}

impl Counts {
    /// Counts a request.
    pub(crate) fn add(&mut self, is_pooled: bool, is_right: bool) {
        self.requests += 1;
        self.pooled += u64::from(is_pooled);
        self.broken += u64::from(!is_right);
    }
}

/// A coroutine that any thread may resume.
pub(crate) struct Moving(Coroutine<(), usize, Counts>);

// SAFETY: the stack of a body holds numbers and blocks of allocators, which may be used and freed on any
// thread.
unsafe impl Send for Moving {}

impl Moving {
    pub(crate) fn new(body: Body) -> Self {
        Self(Coroutine::new(move |yielder, ()| body(yielder)))
    }

    pub(crate) fn resume(&mut self) -> CoroutineResult<usize, Counts> {
        self.0.resume(())
    }
}

/// Makes four threads resume sixteen coroutines, each time one at random, until all have ended.
///
/// The calling thread resumes one coroutine before the other threads start. That reserves the pools, which
/// may take longer than all the rest.
pub(crate) fn mix(body: Body) -> Counts {
    let mut coroutines: Vec<_> = (0..COROUTINES).map(|_| Moving::new(body)).collect();
    coroutines[0].resume();
    let queue = Mutex::new(coroutines);
    let sums = Mutex::new((Counts::default(), 0));
    let run = |seed| {
        let mut random = seed;
        while sums.lock().unwrap().1 < COROUTINES {
            random = next_random(random);
            let chosen = {
                let mut queue = queue.lock().unwrap();
                let waiting = queue.len();
                (waiting > 0).then(|| queue.swap_remove(random as usize % waiting))
            };
            let Some(mut moving) = chosen else {
                thread::yield_now();
                continue;
            };
            match moving.resume() {
                CoroutineResult::Yield(_) => queue.lock().unwrap().push(moving),
                CoroutineResult::Return(counts) => {
                    let (sum, ended) = &mut *sums.lock().unwrap();
                    sum.requests += counts.requests;
                    sum.pooled += counts.pooled;
                    sum.broken += counts.broken;
                    *ended += 1;
                }
            }
        }
    };
    thread::scope(|scope| {
        for seed in 1..=THREADS {
            scope.spawn(move || run(seed));
        }
    });
    sums.into_inner().unwrap().0
}

fn next_random(mut random: u64) -> u64 {
    random ^= random << 13;
    random ^= random >> 7;
    random ^ random << 17
}

/// Returns `text` as an error unless `is_right`.
pub(crate) fn check(is_right: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if is_right { Ok(()) } else { Err(text()) }
}
