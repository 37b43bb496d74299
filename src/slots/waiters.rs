//! Who waits for a slot of a class: first come, first served, asleep meanwhile. Who gives a slot and finds nobody waiting pays a load for it.
//!
//! A give does not hand its slot over: it puts it back like any other, and then takes what is free for those who wait, in their order.
//!
//! | waiter, under the lock | giver |
//! |---|---|
//! | 1. counts itself (Relaxed) | 1. gives a slot, which changes the level of its set (AcqRel) |
//! | 2. [meets the givers](crate::slots::slot_set::SlotSet::meet_givers): changes the level by nothing (AcqRel) | 2. reads the count (Relaxed) |
//! | 3. takes what is free, for whoever is first | 3. unless it is 0, takes the lock and what is free, for whoever is first |
//! | 4. sleeps, which opens the lock, until it has a slot or its time is up | |
//!
//! Both change the level, one after the other. If the give is the first, the waiter finds its slot; if it is the second, it sees the count. So
//! no wake-up is lost, whatever the two do at once. A slot that somebody else takes before it gets to who waits comes back with that one's give,
//! which looks again.
//!
//! The line is made of tickets on the waiters' own stacks, so nothing is allocated under the lock. No `GlobalAlloc` call comes here.
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
pub(crate) struct Wish {
    pub(crate) lane: Lane,
    pub(crate) size: usize,
}

/// The line before one class. `T` is a slot that was taken.
pub(crate) struct Waiters<T> {
    count: AtomicUsize,
    line: Lock<Line<T>>,
}

/// The tickets in the order in which they are served.
struct Line<T> {
    first: Cell<Link<T>>,
}

/// Null at the end.
type Link<T> = *const Ticket<T>;

// SAFETY: what tickets hold is touched under the lock only, by whoever holds it, and a slot may be handed to any thread.
unsafe impl<T: Send> Send for Line<T> {}

/// On the stack of the thread that waits. In the line until it has a slot.
struct Ticket<T> {
    wish: Wish,
    slot: Cell<Option<T>>,
    next: Cell<Link<T>>,
    bell: Condvar,
}

impl<T> Waiters<T> {
    pub(crate) fn new() -> Self {
        Self { count: AtomicUsize::new(0), line: Lock::new(Line { first: Cell::new(ptr::null()) }) }
    }

    /// One load.
    #[inline]
    pub(crate) fn are_there_any(&self) -> bool {
        self.count.load(Relaxed) != 0
    }

    /// To be called after a slot was given: hands what `take` finds to those who wait.
    #[inline]
    pub(crate) fn serve(&self, take: impl FnMut(Wish) -> Option<T>) {
        if self.are_there_any() {
            self.serve_line(take);
        }
    }

    #[cold]
    fn serve_line(&self, take: impl FnMut(Wish) -> Option<T>) {
        self.line.with(|line| self.serve_first(line, take));
    }

    /// What `take` has for this wish, once it has something and nobody is before this thread; `None` when the time is up, if there is a
    /// deadline.
    #[cold]
    pub(crate) fn wait(
        &self,
        wish: Wish,
        deadline: Option<Instant>,
        meet_givers: impl FnOnce(),
        take: impl FnMut(Wish) -> Option<T>,
    ) -> Option<T> {
        let ticket =
            Ticket { wish, slot: Cell::new(None), next: Cell::new(ptr::null()), bell: Condvar::new() };
        self.line.with(|line| {
            line.append(&ticket);
            self.count_in(1);
            meet_givers();
            self.serve_first(line, take);
        });
        self.line.wait(
            &ticket.bell,
            deadline,
            |_| ticket.is_served(),
            |line| {
                if !ticket.is_served() {
                    line.remove(&ticket);
                    self.count_in(-1);
                }
                ticket.slot.take()
            },
        )
    }

    /// Serves as many as there are slots for. Under the lock.
    fn serve_first(&self, line: &Line<T>, mut take: impl FnMut(Wish) -> Option<T>) {
        let mut next = line.first.get();
        // SAFETY: tickets in the line are alive: under the lock they are taken out before their thread goes on.
        while let Some(ticket) = unsafe { next.as_ref() } {
            next = ticket.next.get();
            if let Some(slot) = take(ticket.wish) {
                line.remove(ticket);
                self.count_in(-1);
                ticket.slot.set(Some(slot));
                ticket.bell.notify_one();
            } else if ticket.wish.lane.is_held() {
                // Who may have every slot got none, so nobody will.
                return;
            }
        }
    }

    fn count_in(&self, n: isize) {
        self.count.store(self.count.load(Relaxed).wrapping_add_signed(n), Relaxed);
    }
}

impl<T> Ticket<T> {
    fn is_served(&self) -> bool {
        let slot = self.slot.take();
        let is_served = slot.is_some();
        self.slot.set(slot);
        is_served
    }
}

impl<T> Line<T> {
    fn append(&self, ticket: &Ticket<T>) {
        match self.tickets().last() {
            Some(last) => last.next.set(ticket),
            None => self.first.set(ticket),
        }
    }

    /// Of a ticket that is in the line.
    fn remove(&self, ticket: &Ticket<T>) {
        match self.tickets().find(|before| ptr::eq(before.next.get(), ticket)) {
            Some(before) => before.next.set(ticket.next.get()),
            None => self.first.set(ticket.next.get()),
        }
    }

    fn tickets(&self) -> impl Iterator<Item = &Ticket<T>> {
        // SAFETY: tickets in the line are alive: under the lock they are taken out before their thread goes on.
        let at = |link: Link<T>| unsafe { link.as_ref() };
        iter::successors(at(self.first.get()), move |ticket| at(ticket.next.get()))
    }
}

#[cfg(framepool_loom)]
mod model;
