//! A bounded queue between threads. A sender that finds it full either waits or drops the oldest item.
//!
//! The queue is a ring under a mutex. It allocates only when it is made, so the allocations of a run do not
//! depend on which thread waited for which. If all senders are gone, the receiver gets an end. If the
//! receiver is gone, a sender gets its item back.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The action of a sender that finds the queue full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Makes room: drops the oldest item.
    DropOldest,
    /// Waits for room: drops no item.
    Wait,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// The condition that an item arrived or the last sender left.
    filled: Condvar,
    /// The condition that an item was taken or the receiver left.
    drained: Condvar,
    capacity: usize,
    when_full: WhenFull,
}

struct State<T> {
    items: VecDeque<T>,
    senders: usize,
    receiving: bool,
}

impl<T> Shared<T> {
    /// Locks the state. A thread that panicked cannot have left the ring half changed, so its poison is
    /// ignored.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the ends that fill a queue.
pub(super) struct Sender<T>(Arc<Shared<T>>);

/// The end that empties a queue.
pub(super) struct Receiver<T>(Arc<Shared<T>>);

/// The result of receiving.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<T> {
    Item(T),
    /// The deadline has passed.
    Late,
    /// The queue is empty and all senders are gone.
    Closed,
}

/// Makes a queue of at most `capacity` items, and returns its two ends.
pub(super) fn bounded<T>(capacity: usize, when_full: WhenFull) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::with_capacity(capacity), senders: 1, receiving: true };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        filled: Condvar::new(),
        drained: Condvar::new(),
        capacity,
        when_full,
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Sends `item` and returns the item that was dropped for it, so that the caller can free it outside the
    /// lock.
    ///
    /// If the receiver is gone, returns `item` itself.
    pub(super) fn send(&self, item: T) -> Option<T> {
        let mut state = self.0.lock();
        while self.0.when_full == WhenFull::Wait && state.items.len() == self.0.capacity && state.receiving {
            state = self.0.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.receiving {
            return Some(item);
        }
        let lost = if state.items.len() == self.0.capacity { state.items.pop_front() } else { None };
        state.items.push_back(item);
        drop(state);
        self.0.filled.notify_one();
        lost
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.filled.notify_one();
    }
}

impl<T> Receiver<T> {
    /// Waits for the next item, until `deadline` if there is one. If the deadline has passed, the result is
    /// `Late` even if there is an item.
    pub(super) fn receive(&self, deadline: Option<Instant>) -> Received<T> {
        let mut state = self.0.lock();
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Received::Late;
            }
            if let Some(item) = state.items.pop_front() {
                drop(state);
                self.0.drained.notify_one();
                return Received::Item(item);
            }
            if state.senders == 0 {
                return Received::Closed;
            }
            state = match left {
                Some(left) => {
                    self.0.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl<T> Receiver<T> {
    /// Waits until the queue is full, or all senders are gone.
    pub(super) fn wait_until_full(&self) {
        let mut state = self.0.lock();
        while state.items.len() < self.0.capacity && state.senders > 0 {
            state = self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.lock().receiving = false;
        self.0.drained.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_full_queue_drops_its_oldest_item() {
        let (sender, receiver) = bounded(2, WhenFull::DropOldest);
        assert_eq!([1, 2, 3].map(|item| sender.send(item)), [None, None, Some(1)]);
        drop(sender);
        assert_eq!(
            [(); 3].map(|()| receiver.receive(None)),
            [Received::Item(2), Received::Item(3), Received::Closed]
        );
    }

    #[test]
    fn a_full_queue_makes_its_senders_wait_and_loses_nothing() {
        let (sender, receiver) = bounded(2, WhenFull::Wait);
        let second = sender.clone();
        thread::scope(|scope| {
            scope.spawn(move || (0..1_000).for_each(|n| assert_eq!(sender.send(n), None)));
            scope.spawn(move || (0..1_000).for_each(|n| assert_eq!(second.send(n), None)));
            let items = std::iter::from_fn(|| match receiver.receive(None) {
                Received::Item(item) => Some(item),
                _ => None,
            });
            assert_eq!(items.sum::<i32>(), 2 * 499_500);
        });
    }

    #[test]
    fn no_thread_waits_for_an_end_that_is_gone() {
        let (sender, receiver) = bounded(1, WhenFull::Wait);
        assert_eq!(receiver.receive(Some(Instant::now())), Received::Late);
        assert_eq!(sender.send(1), None);
        drop(receiver);
        assert_eq!(sender.send(2), Some(2));
    }
}
