//! One coroutine that one thread begins and another thread ends, while both live. No two threads run at once,
//! so each run is the same.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::thread;

use corosensei::CoroutineResult;
use framepool::{Class, PoolAlloc, SlotState};

use super::{Pool, layout, pool};
use crate::turns::{Body, CONFIG, Counts, Moving, Yielder, check};

static ALLOCATED: Pool<0> = pool();

#[inline(never)]
fn allocated_body(yielder: &Yielder) -> Counts {
    let layout = layout(1_000);
    for _ in 0..10 {
        // SAFETY: not empty, and freed once, with its layout.
        unsafe {
            let start = ALLOCATED.alloc(layout);
            yielder.suspend(start.addr());
            ALLOCATED.dealloc(start, layout);
        }
    }
    Counts::default()
}

pub(crate) fn allocated() -> Result<(), String> {
    keeps_its_slot(&ALLOCATED, allocated_body, 10)
}

static ZEROED: Pool<1> = pool();

#[inline(never)]
fn zeroed_body(yielder: &Yielder) -> Counts {
    let layout = layout(1_000);
    for _ in 0..10 {
        // SAFETY: not empty, and freed once, with its layout.
        unsafe {
            let start = ZEROED.alloc_zeroed(layout);
            yielder.suspend(start.addr());
            ZEROED.dealloc(start, layout);
        }
    }
    Counts::default()
}

pub(crate) fn zeroed() -> Result<(), String> {
    keeps_its_slot(&ZEROED, zeroed_body, 10)
}

/// [`System`], but a request that is too large for a slot suspends the coroutine that makes it.
struct Suspending;

static GROWN: PoolAlloc<Suspending> = PoolAlloc::with_fallback(Suspending, CONFIG);
/// The yielder of the one coroutine that uses `GROWN`.
static YIELDER: AtomicPtr<Yielder> = AtomicPtr::new(ptr::null_mut());
/// The address of that coroutine's slot.
static SLOT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: `System` keeps the contract.
unsafe impl GlobalAlloc for Suspending {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the yielder lies on the stack of the coroutine that runs this. The pointer is null for all
        // other callers.
        if let Some(yielder) = unsafe { YIELDER.load(SeqCst).as_ref() } {
            yielder.suspend(SLOT.load(SeqCst));
        }
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Suspends in the middle of a reallocation, which then frees the slot on the thread that resumes the
/// coroutine.
#[inline(never)]
fn grown_body(yielder: &Yielder) -> Counts {
    // SAFETY: not empty; reallocated once and freed once, with the layout that it has.
    unsafe {
        let start = GROWN.alloc(layout(1_000));
        SLOT.store(start.addr(), SeqCst);
        YIELDER.store(ptr::from_ref(yielder).cast_mut(), SeqCst);
        let start = GROWN.realloc(start, layout(1_000), 9_000);
        YIELDER.store(ptr::null_mut(), SeqCst);
        GROWN.dealloc(start, layout(9_000));
        let start = GROWN.alloc(layout(1_000));
        yielder.suspend(start.addr());
        GROWN.dealloc(start, layout(1_000));
    }
    Counts::default()
}

pub(crate) fn grown() -> Result<(), String> {
    keeps_its_slot(&GROWN, grown_body, 2)
}

/// Checks that each allocation gets the slot that the coroutine freed just before.
///
/// A magazine is last in, first out. So the slot comes back only if both calls use the magazine of the thread
/// that they run on.
fn keeps_its_slot<A>(pool: &'static PoolAlloc<A>, body: Body, hits: u64) -> Result<(), String> {
    let given = hand_over(body, || ());
    check(given.windows(2).all(|pair| pair[0] == pair[1]), || {
        format!("the blocks are at {given:x?}, some of them out of another thread's magazine")
    })?;
    let stats = pool.stats();
    check(stats.hits() == hits && stats.returns() == hits, || format!("{stats:?}"))
}

static EXCEPTED: Pool<2> = pool();

/// Enters and leaves `unpooled` on one thread, and suspends after that.
#[inline(never)]
fn excepted_body(yielder: &Yielder) -> Counts {
    for _ in 0..10 {
        EXCEPTED.unpooled(|| ());
        yielder.suspend(0);
    }
    Counts::default()
}

pub(crate) fn excepted() -> Result<(), String> {
    let is_well = || {
        let layout = layout(1_000);
        let states = || {
            let mut states = [SlotState::default(); 128];
            EXCEPTED.slot_states(Class::Small, &mut states);
            states
        };
        // SAFETY: not empty, and freed once, with its layout.
        let (start, before) = unsafe {
            let start = EXCEPTED.alloc(layout);
            let before = states();
            EXCEPTED.dealloc(start, layout);
            (start, before)
        };
        let went_to_magazine = before
            .iter()
            .zip(states())
            .any(|(&before, after)| before == SlotState::Live && after == SlotState::Cached);
        EXCEPTED.owns(start) && went_to_magazine
    };
    let well = Mutex::new(vec![]);
    let after = || {
        let is_well = is_well();
        well.lock().unwrap().push(is_well);
    };
    hand_over(excepted_body, after);
    let well = well.into_inner().unwrap();
    check(well == [true, true], || {
        format!("whether the second thread and the first are served from their magazines: {well:?}")
    })
}

/// Resumes a coroutine on one thread, then to its end on a second one, and returns the addresses that it
/// yielded, in order.
///
/// The first thread lives until the coroutine has ended. Then the second thread runs `after`, and the first
/// thread runs it after that.
fn hand_over(body: Body, after: impl Fn() + Sync) -> Vec<usize> {
    let (give, take) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let after = &after;
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut moving = Moving::new(body);
            let first = moving.resume().as_yield();
            give.send((moving, first)).unwrap();
            ended.recv().unwrap();
            after();
        });
        let second = scope.spawn(move || {
            let (mut moving, first) = take.recv().unwrap();
            let mut given: Vec<usize> = first.into_iter().collect();
            while let CoroutineResult::Yield(address) = moving.resume() {
                given.push(address);
            }
            after();
            end.send(()).unwrap();
            given
        });
        second.join().unwrap()
    })
}
