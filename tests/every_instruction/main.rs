//! P9: a signal handler may allocate and free between any two instructions of the thread that it interrupts.
//! No block ever has two owners, no slot is lost, and every request is counted once.
//!
//! A new thread, whose first allocator is the one under test, does one of the [`pieces`] of work.
//! [`stepping`] interrupts it, and a handler [acts](acts) between two of its instructions. [`test_pool`]
//! counts every request. Signal handlers belong to a process, so each test runs in a child.

#![cfg(all(target_os = "linux", target_arch = "x86_64", not(framepool_os = "none")))]

mod acts;
#[path = "../common/mod.rs"]
mod common;
mod pieces;
mod stepping;
mod test_pool;

use std::sync::Mutex;
use std::thread;

use acts::{BEHAVIOURS, Behaviour, Handler, act_while_interrupted};
use common::{Random, child, run_to_success};
use pieces::{
    EXCEPTIONS, FIRST_AND_LAST_USES, LONG_TRIMS, Piece, REALLOCS, RECLAIMS, REFUSALS_AND_QUESTIONS,
    START_UPS, TAKES_AND_GIVES, TRIMS, warm_up,
};
use stepping::Window;
use test_pool::{CONFIG, SMALL, TestPool};

/// The number of windows for each piece of work, size and behaviour: as many as a debug build has time for.
/// They find all breakages of this test in `tests/breakages.sh`.
const SOME_WINDOWS: usize = 30;
/// A number of windows that no piece reaches in a release build.
const ALL_WINDOWS: usize = 20_000;
/// The maximum number of windows of a start-up. Each start-up keeps its address space.
const MAX_START_UPS: usize = 800;

/// The maximum number of acts in one run. A lock-free loop does not end while a handler changes the set after
/// each of its instructions.
const MAX_ACTS: usize = 10_000;

/// A piece of work with one size of blocks, and how thoroughly it is interrupted.
#[derive(Clone, Copy)]
struct Sweep {
    piece: &'static Piece,
    size: usize,
    may_call_back: bool,
    /// The number of windows for each behaviour.
    windows: usize,
    /// The maximum number of acts in a run.
    acts: usize,
    seed: u64,
}

impl Sweep {
    fn new_pool(self) -> &'static TestPool {
        let pool = TestPool::new(self.piece.config, self.may_call_back);
        (self.piece.prepare)(pool);
        pool
    }

    /// Does the work on a new thread.
    fn work(self, pool: &'static TestPool) {
        thread::spawn(move || (self.piece.work)(pool, self.size)).join().unwrap();
    }

    /// Does the work once, with acts from a window on or from the start. Returns whether there were any acts.
    fn run(self, pool: &'static TestPool, window: Option<Window>, acts: usize, behaviour: Behaviour) -> bool {
        let handler = Handler::new(pool, self.size);
        let act = Box::leak(Box::new(move |_| behaviour(handler)));
        let was_reached = stepping::run_with(window, acts, act, || self.work(pool));
        handler.give_all();
        pool.assert_settled();
        was_reached
    }

    /// Acts after every instruction of one run, and then in windows of many runs.
    fn with(self, behaviours: &[Behaviour]) {
        let shared = self.new_pool();
        let pool = || if self.piece.starts_anew { self.new_pool() } else { shared };
        let mut random = Random(self.seed);
        if !self.piece.starts_anew {
            warm_up(shared, SMALL);
        }
        self.run(pool(), None, self.acts, behaviours[random.below(behaviours.len())]);
        // All further runs are alike, because every slot has been live and the work has been done since.
        shared.assert_complete();
        self.work(pool());
        let recorded = pool();
        let windows = stepping::windows_of(|| self.work(recorded));
        let runs = self.windows.min(windows.len());
        for &behaviour in behaviours {
            let mut reached = 0;
            for i in 0..runs {
                let window = windows[(i * windows.len() + random.below(windows.len())) / runs];
                // Mostly two acts, one instruction apart.
                let acts = [1, 2, 2, 2, 3, 50][random.below(6)].min(self.acts);
                reached += usize::from(self.run(pool(), Some(window), acts, behaviour));
            }
            assert!(reached * 10 >= runs * 9, "only {reached} of {runs} windows were reached");
        }
        shared.assert_complete();
        shared.assert_settled();
    }
}

fn get_ready() {
    // This thread has its magazines with these pools, so it caches nothing of those under test.
    warm_up(TestPool::new(CONFIG, false), SMALL);
    stepping::install();
}

/// Interrupts each piece in [`SOME_WINDOWS`] windows, in a child.
fn interrupt<T: Fn()>(test: T, pieces: &'static [Piece]) {
    if common::case().is_none() {
        return run_to_success(child(test, "interrupted"));
    }
    get_ready();
    for piece in pieces {
        for (&size, seed) in piece.sizes.iter().zip(1..) {
            for may_call_back in [false, true] {
                // If the fallback makes no difference to the work, each size is tried with one of the two.
                if piece.calls_fallback || may_call_back == (seed % 2 == 0) {
                    let (windows, acts) = (SOME_WINDOWS, MAX_ACTS);
                    Sweep { piece, size, may_call_back, windows, acts, seed }.with(&BEHAVIOURS);
                }
            }
        }
    }
}

#[test]
fn a_handler_interrupts_a_take_and_a_give() {
    interrupt(a_handler_interrupts_a_take_and_a_give, &TAKES_AND_GIVES);
}

#[test]
fn a_handler_interrupts_a_threads_first_use_and_its_exit() {
    interrupt(a_handler_interrupts_a_threads_first_use_and_its_exit, &FIRST_AND_LAST_USES);
}

#[test]
fn a_handler_interrupts_a_reclaim_and_the_return_to_magazines() {
    interrupt(a_handler_interrupts_a_reclaim_and_the_return_to_magazines, &RECLAIMS);
}

#[test]
fn a_handler_interrupts_a_trim() {
    interrupt(a_handler_interrupts_a_trim, &TRIMS);
}

#[test]
fn a_handler_interrupts_reallocs() {
    interrupt(a_handler_interrupts_reallocs, &REALLOCS);
}

#[test]
fn a_handler_interrupts_unpooled_and_the_switch() {
    interrupt(a_handler_interrupts_unpooled_and_the_switch, &EXCEPTIONS);
}

#[test]
fn a_handler_interrupts_start_up() {
    interrupt(a_handler_interrupts_start_up, &START_UPS);
}

#[test]
fn a_handler_interrupts_misses_and_questions() {
    interrupt(a_handler_interrupts_misses_and_questions, &REFUSALS_AND_QUESTIONS);
}

/// Covers all windows, with a child for each behaviour, and 30 windows with a handler that another handler
/// interrupts.
#[test]
#[ignore = "takes minutes"]
fn a_handler_interrupts_everything_everywhere() {
    let pieces = [
        &TAKES_AND_GIVES[..],
        &FIRST_AND_LAST_USES,
        &RECLAIMS,
        &LONG_TRIMS,
        &REALLOCS,
        &EXCEPTIONS,
        &START_UPS,
        &REFUSALS_AND_QUESTIONS,
    ];
    let mut sweeps = Vec::new();
    for piece in pieces.into_iter().flatten() {
        for (&size, may_call_back) in piece.sizes.iter().flat_map(|size| [(size, false), (size, true)]) {
            let windows = if piece.starts_anew { MAX_START_UPS } else { ALL_WINDOWS };
            for (behaviour, seed) in BEHAVIOURS.into_iter().zip(1..) {
                let sweep = Sweep { piece, size, may_call_back, windows, acts: MAX_ACTS, seed };
                sweeps.push((sweep, behaviour));
            }
            let few = Sweep { piece, size, may_call_back, windows: 30, acts: 3, seed: 1 };
            sweeps.push((few, act_while_interrupted));
        }
    }
    if let Some(case) = common::case() {
        get_ready();
        let (sweep, behaviour) = sweeps[case.parse::<usize>().unwrap()];
        return sweep.with(&[behaviour]);
    }
    let cases = Mutex::new(0..sweeps.len());
    let next = || cases.lock().unwrap().next();
    let run_all = || {
        while let Some(case) = next() {
            let mut command = child(a_handler_interrupts_everything_everywhere, &case.to_string());
            command.arg("--ignored");
            run_to_success(command);
        }
    };
    thread::scope(|scope| _ = [scope.spawn(run_all), scope.spawn(run_all)]);
}
