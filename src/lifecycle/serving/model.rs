//! Start-up under loom: threads start the pools at once, use them, and switch them off and on. See
//! [`loom_tests`](crate::loom_tests).

use std::sync::Arc;

use loom::thread::spawn;

use super::*;
use crate::sync::loom_check::{Content, check};

/// The state of serving, and the content that start-up makes. A thread that sees that it serves reads the
/// content.
struct World {
    serving: Serving<Content>,
    content: Content,
}

const OWNER: u32 = 1;

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self { serving: Serving::new(), content: Content::free() })
    }

    /// Does what `Pools` does on an allocation's slow path. Returns whether this thread was the one that
    /// started.
    fn start(&self) -> bool {
        let begins = self.serving.begin();
        if begins {
            self.content.write(OWNER);
            let slots = ptr::from_ref(&self.content).cast_mut();
            self.serving.finish(slots.cast(), size_of::<Content>(), slots);
        }
        begins
    }

    /// Does what an allocation and a free do.
    fn look(&self) {
        let from = self.serving.pointer();
        if !from.is_null() {
            self.content.read(OWNER);
        }
        if self.serving.span() > 0 {
            assert!(!self.serving.base().is_null());
            self.content.read(OWNER);
        }
    }

    fn set_enabled(&self, yes: bool) {
        self.serving.set_enabled(yes, || ptr::from_ref(&self.content).cast_mut());
    }
}

#[test]
fn one_thread_starts_and_each_served_thread_sees_all_that_it_did() {
    check(3, || {
        let world = World::new();
        let others = [(); 2].map(|()| {
            let world = world.clone();
            spawn(move || {
                let started = world.start();
                world.look();
                u32::from(started)
            })
        });
        let started = u32::from(world.start());
        world.look();
        let started = others.into_iter().fold(started, |sum, other| sum + other.join().unwrap());
        assert_eq!((started, world.serving.state()), (1, State::Ready));
        assert!(!world.serving.pointer().is_null());
    });
}

#[test]
fn the_last_word_of_a_start_and_two_switches_is_what_holds() {
    check(3, || {
        let world = World::new();
        let switches = [false, true].map(|yes| {
            let world = world.clone();
            spawn(move || world.set_enabled(yes))
        });
        world.start();
        world.look();
        switches.into_iter().for_each(|switch| switch.join().unwrap());
        assert_eq!(world.serving.pointer().is_null(), !world.serving.is_enabled());
    });
}
