//! The threads that wait for a slot of a class. They are served in the order in which they came, and sleep
//! until then.
//!
//! If no thread waits, a give pays one load for it. A give does not hand its own slot over. It puts the slot
//! back as always, and then takes what is free for the waiting threads, in their order. No call of a
//! `GlobalAlloc` comes here.
//!
//! | waiter, under the lock | giver |
//! |---|---|
//! | 1. counts itself (Relaxed) | 1. gives a slot, which changes the level of its set (AcqRel) |
//! | 2. [orders itself with the givers](crate::slots::slot_set::SlotSet::order_with_gives): adds 0 to the level (AcqRel) | 2. reads the count (Relaxed) |
//! | 3. takes what is free, for the first waiter | 3. unless it is 0, takes the lock and what is free, for the first waiter |
//! | 4. sleeps, which opens the lock, until it has a slot or its time is up | |
//!
//! Both change the level, one after the other. If the give comes first, the waiter finds its slot. If the
//! waiter comes first, the giver sees the count. So no wake-up is lost. A third thread may take the slot
//! before a waiter gets it. That thread's give then looks at the queue again.
//!
//! Waiting threads form a FIFO queue of nodes on their own stacks, so nothing is allocated under the lock.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `count` | the thread that holds the lock (Relaxed), read by givers (Relaxed) | nothing: the sets' levels do |

use core::cell::Cell;
use core::{iter, ptr};
use std::time::Instant;

use crate::slots::lane::Lane;
use crate::sync::{AtomicUsize, Condvar, Lock, Ordering::Relaxed};

/// The slot that a thread waits for.
#[derive(Clone, Copy)]
pub(crate) struct WaitRequest {
    pub(crate) lane: Lane,
    pub(crate) size: usize,
}

/// The FIFO queue of one class. `T` is a slot that was taken.
pub(crate) struct Waiters<T> {
    count: AtomicUsize,
    queue: Lock<Queue<T>>,
}

/// The waiters, in the order in which they are served.
struct Queue<T> {
    first: Cell<Link<T>>,
}

/// A link of the queue; null at the end.
type Link<T> = *const Waiter<T>;

// SAFETY: only the thread that holds the lock touches what waiters hold, and a slot may move to any thread.
unsafe impl<T: Send> Send for Queue<T> {}

/// A node on the stack of a waiting thread. It is in the queue until it has a slot, or its time is up.
struct Waiter<T> {
    request: WaitRequest,
    slot: Cell<Option<T>>,
    next: Cell<Link<T>>,
    wakeup: Condvar,
}

impl<T> Waiters<T> {
    pub(crate) fn new() -> Self {
        Self { count: AtomicUsize::new(0), queue: Lock::new(Queue { first: Cell::new(ptr::null()) }) }
    }

    /// Whether any thread waits. One load.
    #[inline]
    pub(crate) fn are_there_any(&self) -> bool {
        self.count.load(Relaxed) != 0
    }

    /// Hands the slots that `take` finds to waiting threads. Called after each give.
    #[inline]
    pub(crate) fn serve(&self, take: impl FnMut(WaitRequest) -> Option<T>) {
        if self.are_there_any() {
            self.serve_queue(take);
        }
    }

    #[cold]
    fn serve_queue(&self, take: impl FnMut(WaitRequest) -> Option<T>) {
        self.queue.with(|queue| self.serve_first(queue, take));
    }

    /// Joins the queue, sleeps until `take` has found a slot for this request, and returns the slot. If there
    /// is a deadline, returns `None` once it has passed.
    #[cold]
    pub(crate) fn wait(
        &self,
        request: WaitRequest,
        deadline: Option<Instant>,
        order_with_gives: impl FnOnce(),
        take: impl FnMut(WaitRequest) -> Option<T>,
    ) -> Option<T> {
        let waiter =
            Waiter { request, slot: Cell::new(None), next: Cell::new(ptr::null()), wakeup: Condvar::new() };
        self.queue.with(|queue| {
            queue.append(&waiter);
            self.count_in(1);
            order_with_gives();
            self.serve_first(queue, take);
        });
        self.queue.wait(
            &waiter.wakeup,
            deadline,
            |_| waiter.is_served(),
            |queue| {
                if !waiter.is_served() {
                    queue.remove(&waiter);
                    self.count_in(-1);
                }
                waiter.slot.take()
            },
        )
    }

    /// Serves as many waiters as there are slots for, in their order. A waiter that may have only open slots
    /// is passed over if there are none. Called under the lock.
    fn serve_first(&self, queue: &Queue<T>, mut take: impl FnMut(WaitRequest) -> Option<T>) {
        let mut next = queue.first.get();
        // SAFETY: waiters in the queue are alive: each is taken out, under the lock, before its thread goes
        // on.
        while let Some(waiter) = unsafe { next.as_ref() } {
            next = waiter.next.get();
            if let Some(slot) = take(waiter.request) {
                queue.remove(waiter);
                self.count_in(-1);
                waiter.slot.set(Some(slot));
                waiter.wakeup.notify_one();
            } else if waiter.request.lane.is_held_back() {
                // This waiter may have every slot of the class and got none. So no waiter behind it would get
                // one.
                return;
            }
        }
    }

    fn count_in(&self, n: isize) {
        self.count.store(self.count.load(Relaxed).wrapping_add_signed(n), Relaxed);
    }
}

impl<T> Waiter<T> {
    fn is_served(&self) -> bool {
        let slot = self.slot.take();
        let is_served = slot.is_some();
        self.slot.set(slot);
        is_served
    }
}

impl<T> Queue<T> {
    fn append(&self, waiter: &Waiter<T>) {
        match self.waiters().last() {
            Some(last) => last.next.set(waiter),
            None => self.first.set(waiter),
        }
    }

    /// Removes a waiter that is in the queue.
    fn remove(&self, waiter: &Waiter<T>) {
        match self.waiters().find(|before| ptr::eq(before.next.get(), waiter)) {
            Some(before) => before.next.set(waiter.next.get()),
            None => self.first.set(waiter.next.get()),
        }
    }

    fn waiters(&self) -> impl Iterator<Item = &Waiter<T>> {
        // SAFETY: waiters in the queue are alive: each is taken out, under the lock, before its thread goes
        // on.
        let at = |link: Link<T>| unsafe { link.as_ref() };
        iter::successors(at(self.first.get()), move |waiter| at(waiter.next.get()))
    }
}

#[cfg(framepool_loom)]
mod model;
