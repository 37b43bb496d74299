//! Waiting threads under loom. In every order, each waiting thread is served, and a slot has one owner. A
//! lost wake-up is a deadlock, which loom finds.
//!
//! No wait has a deadline here.

use std::sync::Arc;

use loom::thread::{JoinHandle, spawn};

use super::*;
use crate::slots::slot_set::SlotSet;
use crate::slots::slot_set::model::{Words, full};
use crate::sync::loom_check::{Content, check};

struct World {
    set: SlotSet,
    _words: Words,
    waiters: Waiters<u32>,
    contents: Vec<Content>,
}

/// A request that may have every slot.
const WISH: WaitRequest = WaitRequest { lane: Lane::new(0, true), size: 1 };

impl World {
    fn new(slots: usize) -> Arc<Self> {
        let (set, words) = full(slots);
        let contents = (0..slots).map(|_| Content::free()).collect();
        Arc::new(Self { set, _words: words, waiters: Waiters::new(), contents })
    }

    fn take(&self) -> Option<u32> {
        let mut slot = [0];
        (self.set.take_some(&mut slot, 0) == 1).then_some(slot[0])
    }

    fn wait(&self, id: u32) -> u32 {
        let order_with_gives = || self.set.order_with_gives();
        let slot = self.waiters.wait(WISH, None, order_with_gives, |_| self.take()).unwrap();
        self.contents[slot as usize].write(id);
        slot
    }

    fn give(&self, id: u32, slot: u32) {
        self.contents[slot as usize].wipe(id);
        assert_eq!(self.set.give(&[slot]), Ok(()));
        self.waiters.serve(|_| self.take());
    }

    fn wait_and_give(&self, id: u32) {
        let slot = self.wait(id);
        self.give(id, slot);
    }

    /// Takes every slot for one owner.
    fn take_all(&self, id: u32) -> Vec<u32> {
        let slots: Vec<_> = std::iter::from_fn(|| self.take()).collect();
        slots.iter().for_each(|&slot| self.contents[slot as usize].write(id));
        slots
    }

    fn assert_whole(&self) {
        assert!(!self.waiters.are_there_any());
        assert_eq!(self.take_all(99).len(), self.contents.len());
    }
}

/// Starts a thread that waits for a slot and gives it back.
fn waiter(world: &Arc<World>, id: u32) -> JoinHandle<()> {
    let world = Arc::clone(world);
    spawn(move || world.wait_and_give(id))
}

/// Uses a set of one word, then a set of several.
#[test]
fn a_waiting_thread_gets_the_slot_that_is_given() {
    for slots in [1, 3] {
        check(None, move || {
            let world = World::new(slots);
            let held = world.take_all(1);
            let waiter = waiter(&world, 2);
            held.into_iter().for_each(|slot| world.give(1, slot));
            waiter.join().unwrap();
            world.assert_whole();
        });
    }
}

#[test]
fn two_waiting_threads_get_the_one_slot_after_each_other() {
    check(3, || {
        let world = World::new(1);
        let held = world.take_all(1);
        let waiters = [2, 3].map(|id| waiter(&world, id));
        held.into_iter().for_each(|slot| world.give(1, slot));
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        world.assert_whole();
    });
}

/// Lets a third thread take the slot that was given for the waiting one.
#[test]
fn a_slot_taken_by_a_thread_that_does_not_wait_is_handed_on_when_it_comes_back() {
    check(3, || {
        let world = World::new(1);
        let held = world.take_all(1);
        let waiter = waiter(&world, 2);
        let other = {
            let world = world.clone();
            spawn(move || {
                if let Some(slot) = world.take() {
                    world.contents[slot as usize].write(3);
                    world.give(3, slot);
                }
            })
        };
        held.into_iter().for_each(|slot| world.give(1, slot));
        waiter.join().unwrap();
        other.join().unwrap();
        world.assert_whole();
    });
}
