//! Who waits for a slot of a class: first come, first served, asleep meanwhile. Who gives a slot and finds nobody waiting pays a load for it.
//!
//! A give does not hand its slot over: it puts it back like any other, and then takes what is free for those who wait, in their order.
//!
//! | waiter, under the lock | giver |
//! |---|---|
//! | 1. counts itself (Relaxed) | 1. gives a slot, which changes the level of its set (AcqRel) |
//! | 2. [meets the givers](crate::slots::slot_set::SlotSet::order_with_gives): changes the level by nothing (AcqRel) | 2. reads the count (Relaxed) |
//! | 3. takes what is free, for whoever is first | 3. unless it is 0, takes the lock and what is free, for whoever is first |
//! | 4. sleeps, which opens the lock, until it has a slot or its time is up | |
//!
//! Both change the level, one after the other. If the give is the first, the waiter finds its slot; if it is the second, it sees the count. So
//! no wake-up is lost, whatever the two do at once. A slot that somebody else takes before it gets to who waits comes back with that one's give,
//! which looks again.
//!
//! The line is made of waiters on the waiters' own stacks, so nothing is allocated under the lock. No `GlobalAlloc` call comes here.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `count` | whoever holds the lock (Relaxed), read by givers (Relaxed) | nothing: the sets' levels do |

use core::cell::Cell;
use core::{iter, ptr};
use std::time::Instant;

use crate::slots::lane::Lane;
use crate::sync::{AtomicUsize, Condvar, Lock, Ordering::Relaxed};

/// What somebody waits for.
#[derive(Clone, Copy)]
pub(crate) struct WaitRequest {
    pub(crate) lane: Lane,
    pub(crate) size: usize,
}

/// The queue before one class. `T` is a slot that was taken.
pub(crate) struct Waiters<T> {
    count: AtomicUsize,
    queue: Lock<Queue<T>>,
}

/// The waiters in the order in which they are served.
struct Queue<T> {
    first: Cell<Link<T>>,
}

/// Null at the end.
type Link<T> = *const Waiter<T>;

// SAFETY: what waiters hold is touched under the lock only, by whoever holds it, and a slot may be handed to any thread.
unsafe impl<T: Send> Send for Queue<T> {}

/// On the stack of the thread that waits. In the queue until it has a slot.
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

    /// One load.
    #[inline]
    pub(crate) fn are_there_any(&self) -> bool {
        self.count.load(Relaxed) != 0
    }

    /// To be called after a slot was given: hands what `take` finds to those who wait.
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

    /// What `take` has for this request, once it has something and nobody is before this thread; `None` when the time is up, if there is a
    /// deadline.
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

    /// Serves as many as there are slots for. Under the lock.
    fn serve_first(&self, queue: &Queue<T>, mut take: impl FnMut(WaitRequest) -> Option<T>) {
        let mut next = queue.first.get();
        // SAFETY: waiters in the queue are alive: under the lock they are taken out before their thread goes on.
        while let Some(waiter) = unsafe { next.as_ref() } {
            next = waiter.next.get();
            if let Some(slot) = take(waiter.request) {
                queue.remove(waiter);
                self.count_in(-1);
                waiter.slot.set(Some(slot));
                waiter.wakeup.notify_one();
            } else if waiter.request.lane.is_held_back() {
                // Who may have every slot got none, so nobody will.
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

    /// Of a waiter that is in the queue.
    fn remove(&self, waiter: &Waiter<T>) {
        match self.waiters().find(|before| ptr::eq(before.next.get(), waiter)) {
            Some(before) => before.next.set(waiter.next.get()),
            None => self.first.set(waiter.next.get()),
        }
    }

    fn waiters(&self) -> impl Iterator<Item = &Waiter<T>> {
        // SAFETY: waiters in the queue are alive: under the lock they are taken out before their thread goes on.
        let at = |link: Link<T>| unsafe { link.as_ref() };
        iter::successors(at(self.first.get()), move |waiter| at(waiter.next.get()))
    }
}

#[cfg(framepool_loom)]
mod model;
