//! A fallback that suspends inside each of its calls, so that coroutines leave it in another order than they
//! entered it, or on another thread.

mod alone;
mod probe;
mod workers;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::iter::repeat_n;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use alone::alone;
use framepool::PoolAlloc;
use probe::{
    Block, Random, TOO_LARGE, assert_all_free, hammer, has_magazine, is_pooled, layout, pool, take_all,
};
use workers::{Moving, Worker, Yielder};

/// [`System`], but each call by a coroutine suspends that coroutine before and after the call.
struct Suspending;

thread_local! {
    /// The yielder of the coroutine that this thread is running; null while it runs none.
    static CURRENT: Cell<*const Yielder> = const { Cell::new(ptr::null()) };
}

/// The number of coroutines that are inside a call.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Suspends the coroutine that this thread is running, if it runs one.
///
/// Reads the thread-local before it suspends, and not after that. The function is not inlined, so that no
/// address outlives the switch of stacks.
#[inline(never)]
fn suspend() {
    // SAFETY: the yielder lies on the stack of the coroutine that runs this.
    if let Some(yielder) = unsafe { CURRENT.get().as_ref() } {
        yielder.suspend(());
    }
}

fn suspended<R>(call: impl FnOnce() -> R) -> R {
    INSIDE.fetch_add(1, SeqCst);
    suspend();
    let result = call();
    suspend();
    INSIDE.fetch_sub(1, SeqCst);
    result
}

// SAFETY: `System` keeps the contract.
unsafe impl GlobalAlloc for Suspending {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        suspended(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        suspended(|| unsafe { System.dealloc(ptr, layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        suspended(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        suspended(|| unsafe { System.realloc(ptr, layout, new_size) })
    }
}

type Pool = &'static PoolAlloc<Suspending>;

/// A coroutine that the fallback can suspend.
struct Task {
    coroutine: Moving,
    yielder: Arc<AtomicPtr<Yielder>>,
    has_ended: bool,
}

impl Task {
    /// Starts a coroutine that suspends once before `body`.
    fn start(body: impl FnOnce() + 'static) -> Self {
        let yielder = Arc::new(AtomicPtr::new(ptr::null_mut()));
        let place = yielder.clone();
        let coroutine = Moving::start(move |yielder| {
            place.store(ptr::from_ref(yielder).cast_mut(), SeqCst);
            yielder.suspend(());
            body();
        });
        Self { coroutine, yielder, has_ended: false }
    }

    /// Runs the coroutine to its next suspension, or to its end. Returns whether it has ended, now or
    /// earlier.
    fn step(&mut self) -> bool {
        if !self.has_ended {
            set_current(self.yielder.load(SeqCst));
            self.has_ended = self.coroutine.step();
            set_current(ptr::null());
        }
        self.has_ended
    }

    fn end(mut self) {
        while !self.step() {}
    }
}

/// Sets the thread-local. Not inlined, because its caller switches stacks between two calls.
#[inline(never)]
fn set_current(yielder: *const Yielder) {
    CURRENT.set(yielder);
}

/// Allocates, resizes and frees blocks in all ways that reach the fallback.
fn every_call<A: GlobalAlloc + 'static>(pool: &'static PoolAlloc<A>, id: u64) {
    let large = Block::take(pool, layout(TOO_LARGE, 8), id);
    // Moves out of a slot into the fallback: allocates, copies, and frees the slot.
    let grown = Block::take(pool, layout(1_000, 8), id + 1).resize(TOO_LARGE);
    // Stays in the fallback.
    let shrunk = grown.resize(400);
    // Moves out of the fallback into a slot: takes the slot, copies, and frees.
    let pooled = shrunk.resize(3_000);
    // SAFETY: not empty; read inside; freed with its layout.
    unsafe {
        let zeroed = pool.alloc_zeroed(layout(TOO_LARGE, 64));
        assert!(!zeroed.is_null());
        assert_eq!(zeroed.add(TOO_LARGE - 1).read(), 0);
        pool.dealloc(zeroed, layout(TOO_LARGE, 64));
    }
    let over_aligned = Block::take(pool, layout(100, 1 << 16), id + 2);
    large.give();
    pooled.resize(8_000).give();
    over_aligned.give();
}

#[test]
fn one_coroutine_reaches_the_fallback_in_every_way() {
    alone(one_coroutine_reaches_the_fallback_in_every_way, || {
        let pool: Pool = pool(Suspending);
        assert!(has_magazine(pool));
        for id in 0..100 {
            let mut task = Task::start(move || every_call(pool, id << 8));
            let mut suspensions = 0;
            while !task.step() {
                suspensions += 1;
                assert_eq!(INSIDE.load(SeqCst), 1);
                assert!(!is_pooled(pool), "this thread is inside the fallback");
            }
            assert_eq!(suspensions, 18, "nine calls, each with two");
            assert!(has_magazine(pool));
            assert_all_free(pool);
        }
        take_all(pool);
    });
}

/// Resumes three coroutines in the given order. Panics unless the allocators are as before once all three
/// have ended.
///
/// The first allocator is the one that this thread has a place with.
fn play<A: GlobalAlloc + 'static>(
    pools: &'static [&'static PoolAlloc<A>],
    order: impl IntoIterator<Item = usize>,
) {
    let start = |number: usize| {
        Task::start(move || {
            for turn in 0..pools.len() {
                every_call(pools[(number + turn) % pools.len()], (number << 8) as u64);
            }
        })
    };
    let mut tasks: Vec<_> = (0..3).map(start).collect();
    for next in order {
        tasks[next].step();
        // A call that begins while the thread is inside ends with the call around it. So a thread that is
        // inside may be served from the pools.
        let is_outside = INSIDE.load(SeqCst) == 0;
        for pool in pools {
            assert!(is_pooled(pool) || !is_outside, "no coroutine is inside the fallback");
        }
    }
    tasks.into_iter().for_each(Task::end);
    assert!(has_magazine(pools[0]));
    for pool in pools {
        assert!(is_pooled(pool));
        assert_all_free(pool);
    }
}

/// Returns orders in which three coroutines make equally many steps each, and then end one after the other.
fn orders() -> impl Iterator<Item = Vec<usize>> {
    let all = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let each = |order: [usize; 3], steps| order.into_iter().flat_map(move |next| repeat_n(next, steps));
    (0..24)
        .flat_map(move |steps| {
            all.into_iter().flat_map(move |begin| {
                all.into_iter().map(move |end| each(begin, steps).chain(each(end, 60)).collect())
            })
        })
        // All of them take a quarter of a minute without optimization.
        .step_by(if cfg!(debug_assertions) { 23 } else { 1 })
}

fn random_orders() -> impl Iterator<Item = Vec<usize>> {
    (1..if cfg!(debug_assertions) { 20 } else { 3_000 }).map(|seed| {
        let mut random = Random(seed);
        (0..150).map(|_| random.below(3)).collect()
    })
}

#[test]
fn three_coroutines_leave_the_fallback_in_every_order() {
    alone(three_coroutines_leave_the_fallback_in_every_order, || {
        let pools: &[Pool] = vec![pool(Suspending)].leak();
        assert!(has_magazine(pools[0]));
        orders().chain(random_orders()).for_each(|order| play(pools, order));
        take_all(pools[0]);
    });
}

#[test]
fn three_coroutines_leave_the_fallbacks_of_two_allocators_in_every_order() {
    alone(three_coroutines_leave_the_fallbacks_of_two_allocators_in_every_order, || {
        let pools: &[Pool] = vec![pool(Suspending), pool(Suspending)].leak();
        assert!(has_magazine(pools[0]) && is_pooled(pools[1]));
        orders().chain(random_orders()).for_each(|order| play(pools, order));
        pools.iter().copied().for_each(take_all);
    });
}

/// Both allocators have slots of the same sizes. So a request that is too large for one is too large for the
/// other, and is inside both.
#[test]
fn three_coroutines_leave_an_allocator_behind_another_one_in_every_order() {
    alone(three_coroutines_leave_an_allocator_behind_another_one_in_every_order, || {
        let inner = PoolAlloc::with_fallback(Suspending, probe::CONFIG);
        let pools: &[&PoolAlloc<PoolAlloc<Suspending>>] = vec![pool(inner)].leak();
        assert!(has_magazine(pools[0]));
        orders().chain(random_orders()).for_each(|order| play(pools, order));
        take_all(pools[0]);
    });
}

#[test]
fn a_coroutine_is_inside_until_it_leaves_even_if_another_one_entered_before_it() {
    alone(a_coroutine_is_inside_until_it_leaves_even_if_another_one_entered_before_it, || {
        let pool: Pool = pool(Suspending);
        assert!(has_magazine(pool));
        let [mut a, mut b] =
            [1, 2].map(|id| Task::start(move || Block::take(pool, layout(TOO_LARGE, 8), id).give()));
        a.step();
        b.step();
        // A enters its second call.
        (0..2).for_each(|_| _ = a.step());
        a.end();
        assert!(!is_pooled(pool), "B is inside the fallback");
        b.end();
        assert!(has_magazine(pool));
    });
}

/// The coroutine moves to another thread in the middle of a reallocation. The slot that becomes free belongs
/// to that thread.
#[test]
fn a_slot_that_outgrew_on_one_thread_is_freed_on_the_thread_that_goes_on() {
    alone(a_slot_that_outgrew_on_one_thread_is_freed_on_the_thread_that_goes_on, || {
        let pool: Pool = pool(Suspending);
        for number in 0..20 {
            let start = |pool: Pool| {
                let worker = Worker::start();
                assert!(worker.run(move || has_magazine(pool)));
                worker
            };
            let (first, second) = (start(pool), start(pool));
            let (task, slot) = first.run(move || {
                let slot = Arc::new(AtomicUsize::new(0));
                let told = slot.clone();
                let mut task = Task::start(move || {
                    let block = Block::take(pool, layout(1_000, 8), 1);
                    told.store(block.start.addr(), SeqCst);
                    block.resize(TOO_LARGE).give();
                });
                // The coroutine enters the fallback, which it asks for a larger block.
                task.step();
                (task, slot)
            });
            let (lives, third) = if number % 2 == 0 {
                (Some(first), None)
            } else {
                first.exit();
                // The third thread gets the place of the first.
                (None, Some(start(pool)))
            };
            second.run(move || task.end());
            let slot = slot.load(SeqCst);
            let is_next = second.run(move || {
                let next = Block::take(pool, layout(1_000, 8), 3);
                let is_next = next.start.addr() == slot;
                next.give();
                is_next
            });
            assert!(is_next, "the slot went to a magazine that is not this thread's");
            assert!(second.run(move || has_magazine(pool)));
            let running: Vec<_> = [third.as_ref(), Some(&second)]
                .into_iter()
                .flatten()
                .zip(1..)
                .map(|(worker, seed)| worker.begin(move || hammer(pool, seed)))
                .collect();
            for served in running.into_iter().map(|wait| wait()) {
                assert_eq!(served.requests, served.pooled);
            }
            assert_all_free(pool);
            [lives, third, Some(second)].into_iter().flatten().for_each(Worker::exit);
            take_all(pool);
            assert_all_free(pool);
        }
    });
}

/// Each thread lives for one step of one coroutine, and claims a place that another one has just left.
#[test]
fn coroutines_go_on_in_the_fallback_on_a_new_thread_each_time() {
    alone(coroutines_go_on_in_the_fallback_on_a_new_thread_each_time, || {
        let pool: Pool = pool(Suspending);
        assert!(has_magazine(pool));
        for round in 0..if cfg!(debug_assertions) { 2 } else { 20 } {
            let tasks = (0..8).map(|id| Task::start(move || every_call(pool, id << 8))).collect();
            let tasks: Mutex<Vec<Task>> = Mutex::new(tasks);
            let live_for_a_step = |seed: u64| {
                let first = hammer(pool, seed);
                assert_eq!(first.requests, first.pooled, "a new thread is not inside");
                let mut random = Random(seed);
                let Some(mut task) = ({
                    let mut tasks = tasks.lock().unwrap();
                    (!tasks.is_empty()).then(|| random.below(tasks.len())).map(|next| tasks.swap_remove(next))
                }) else {
                    return;
                };
                let has_ended = task.step();
                // If the coroutine entered the fallback here, this thread is inside now, and the pools need
                // not serve these requests.
                hammer(pool, seed + 1);
                if !has_ended {
                    tasks.lock().unwrap().push(task);
                }
            };
            // Each thread is joined, because the end of a scope does not wait for a thread to leave its
            // place.
            thread::scope(|scope| {
                for worker in 1..5 {
                    let (live_for_a_step, tasks) = (&live_for_a_step, &tasks);
                    scope.spawn(move || {
                        let mut seed = (round << 32) + worker * 2;
                        while !tasks.lock().unwrap().is_empty() {
                            seed += 1 << 8;
                            scope.spawn(move || live_for_a_step(seed)).join().unwrap();
                        }
                    });
                }
            });
            // A thread may put a task back after the other threads have found none.
            for task in tasks.into_inner().unwrap() {
                let worker = Worker::start();
                worker.run(move || task.end());
                worker.exit();
            }
            assert_all_free(pool);
            assert!(has_magazine(pool));
        }
        take_all(pool);
    });
}
