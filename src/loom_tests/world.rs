//! A stand-in for the metadata and its threads, with one class. Each slot holds a number, its owner's.

use core::ptr::without_provenance_mut;
use std::sync::Arc;

use loom::sync::atomic::{Ordering::Acquire, fence};

use crate::magazine::Magazine;
use crate::magazine::gate::Gate;
use crate::magazine::lane_pool::{LanePool, LaneStore};
use crate::magazine::mode::{LaneMode, Mode};
use crate::magazine::reclaim::{MagazineStore, Reclaim};
use crate::slots::lane::Lane;
use crate::slots::slot_set::SlotSet;
use crate::slots::slot_set::model::{self as sets, Words};
use crate::sync::loom_check::Content;
use crate::thread::places::Places;
use crate::tunables::PLACES;

pub(crate) const OPEN: Lane = Lane::new(0, false);
pub(crate) const HELD: Lane = Lane::new(0, true);
const WORLD_LANES: usize = 2;

/// The key of every gate of this world.
const KEY: usize = 7;

/// The slots, lanes and places of one test. One of the two lanes may be empty.
pub(crate) struct World {
    sets: [Set; WORLD_LANES],
    modes: [Mode; WORLD_LANES],
    gates: [Gate; PLACES],
    magazines: [[Magazine; WORLD_LANES]; PLACES],
    places: Places,
    reclaim: Reclaim,
    capacity: usize,
    contents: [Vec<Content>; WORLD_LANES],
}

struct Set {
    set: SlotSet,
    _words: Words,
}

/// A slot that a thread has taken.
pub(crate) struct Taken {
    start: *mut u8,
    lane: Lane,
}

// SAFETY: `start` is only a number, which nothing dereferences.
unsafe impl Send for Taken {}

/// A thread, with a place or without one.
#[derive(Clone)]
pub(crate) struct Thread {
    world: Arc<World>,
    id: u32,
    place: Option<usize>,
}

impl World {
    /// Returns a world with this many open and held-back slots, all in the sets. Magazines hold 3 slots, and
    /// lanes are in this mode.
    pub(crate) fn new(open: usize, held: usize, mode: LaneMode) -> Arc<Self> {
        let sets = [open, held].map(|slots| {
            let (set, words) = sets::full(slots);
            Set { set, _words: words }
        });
        Arc::new(Self {
            sets,
            modes: [open, held].map(|slots| Mode::new(if slots > 0 { mode } else { LaneMode::Off })),
            gates: core::array::from_fn(|_| Gate::new(0)),
            magazines: core::array::from_fn(|_| core::array::from_fn(|_| Magazine::new())),
            places: Places::new(),
            reclaim: Reclaim::new(),
            capacity: 3,
            contents: [open, held].map(|slots| (0..slots).map(|_| Content::free()).collect()),
        })
    }

    /// Returns a thread that has no place.
    pub(crate) fn guest(self: &Arc<Self>, id: u32) -> Thread {
        Thread { world: self.clone(), id, place: None }
    }

    /// Returns a thread that has claimed a place.
    pub(crate) fn owner(self: &Arc<Self>, id: u32) -> Thread {
        let place = self.places.claim(|place| {
            for magazine in &self.magazines[place] {
                magazine.reset(self.capacity);
            }
            self.gates[place].set(KEY);
        });
        assert!(place.is_some_and(|place| place < PLACES));
        Thread { world: self.clone(), id, place }
    }

    /// Checks what must hold once no thread is inside and every slot is free. One thread, with a place or
    /// without one, can take every slot. When it has given them back, the lanes are cached.
    pub(crate) fn assert_whole(self: &Arc<Self>) {
        for lane in [OPEN, HELD] {
            let all = self.set(lane).slots();
            assert!(self.mode(lane).may_hide_slots() || self.set(lane).free() == all, "slots are hidden");
        }
        let guest = self.guest(99);
        let all = self.set(OPEN).slots() + self.set(HELD).slots();
        let slots: Vec<_> = (0..all).map(|_| guest.take(HELD).expect("a slot is stranded")).collect();
        assert!(guest.take(HELD).is_none());
        slots.into_iter().for_each(|slot| guest.give(slot));
        for lane in [OPEN, HELD] {
            assert!(
                self.mode(lane).get() == LaneMode::Cached || self.set(lane).slots() == 0,
                "the lane is stuck"
            );
        }
    }

    /// Returns the free slots of a lane, in the set or in magazines, as the child of another thread's `fork`
    /// would find them. A slot on its way from a magazine to the set may be in neither.
    pub(crate) fn found_by_a_child(&self, lane: Lane) -> Vec<usize> {
        let set = self.set(lane);
        let mut found: Vec<_> = (0..set.slots()).filter(|&slot| set.has(slot)).collect();
        // A child sees all memory at one moment. This reads the set first. If it finds a slot there, the
        // fence makes it see that the slot has left its magazine.
        fence(Acquire);
        for magazine in self.magazines.iter().map(|lanes| &lanes[lane.index()]) {
            found.extend(magazine.peek().map(|start| self.index(lane, start)));
        }
        found
    }

    fn pool(&self, lane: Lane) -> LanePool<'_, Self> {
        LanePool::new(self, lane)
    }

    fn content(&self, taken: &Taken) -> &Content {
        &self.contents[taken.lane.index()][self.index(taken.lane, taken.start)]
    }
}

impl Thread {
    /// Takes a slot, as `Pools::take_slot` does.
    pub(crate) fn take(&self, lane: Lane) -> Option<Taken> {
        let (start, lane) = self.world.pool(lane).take(self.place)?;
        let taken = Taken { start, lane };
        self.world.content(&taken).write(self.id);
        Some(taken)
    }

    pub(crate) fn give(&self, taken: Taken) {
        self.world.content(&taken).wipe(self.id);
        self.world.pool(taken.lane).give(self.place, taken.start);
    }

    /// Takes this many slots, or as many as there are, and gives them back. Returns how many it took.
    pub(crate) fn take_and_give(&self, slots: usize, lane: Lane) -> usize {
        let slots: Vec<_> = (0..slots).map_while(|_| self.take(lane)).collect();
        let taken = slots.len();
        slots.into_iter().for_each(|slot| self.give(slot));
        taken
    }

    /// Ends the thread, as `on_thread_exit` does.
    pub(crate) fn exit(self) {
        let Some(place) = self.place else { return };
        for lane in [OPEN, HELD] {
            self.world.pool(lane).empty_own_magazine(place);
        }
        self.world.places.release(place);
    }

    /// Stops the thread inside, as other threads see it, until [`go_on`](Self::go_on).
    pub(crate) fn stop_inside(&self) {
        assert!(self.place.is_some_and(|place| self.world.gates[place].enter(KEY)));
    }

    pub(crate) fn go_on(&self) {
        self.place.inspect(|&place| self.world.gates[place].leave(KEY));
    }
}

impl MagazineStore for World {
    fn key(&self) -> usize {
        KEY
    }

    fn used_places(&self) -> usize {
        self.places.used()
    }

    fn gate(&self, place: usize) -> &Gate {
        &self.gates[place]
    }

    fn magazine(&self, place: usize, lane: Lane) -> &Magazine {
        &self.magazines[place][lane.index()]
    }

    fn mode(&self, lane: Lane) -> &Mode {
        &self.modes[lane.index()]
    }

    fn set(&self, lane: Lane) -> &SlotSet {
        &self.sets[lane.index()].set
    }

    fn give_to_set(&self, lane: Lane, slots: &[*mut u8]) {
        self.pool(lane).give_to_set(slots);
    }
}

impl LaneStore for World {
    /// The number of a place.
    type OwnState = usize;

    fn inside<R>(&self, own: usize, lane: Lane, f: impl FnOnce(&Magazine) -> R) -> Option<R> {
        let gate = &self.gates[own];
        if !gate.enter(KEY) {
            return None;
        }
        let result = f(&self.magazines[own][lane.index()]);
        gate.leave(KEY);
        Some(result)
    }

    fn search_start(&self, own: usize) -> usize {
        own
    }

    fn first_capacity(&self, _: Lane) -> usize {
        self.capacity
    }

    fn max_capacity(&self, _: Lane) -> usize {
        3
    }

    fn with_reclaim<R>(&self, f: impl FnOnce(&Reclaim) -> R) -> R {
        f(&self.reclaim)
    }

    fn settle_after_fork(&self) -> bool {
        true
    }

    fn start(&self, _lane: Lane, index: usize) -> *mut u8 {
        without_provenance_mut(1 + index)
    }

    fn index(&self, _lane: Lane, start: *mut u8) -> usize {
        start.addr() - 1
    }

    fn double_free(&self, lane: Lane, start: *mut u8) -> ! {
        panic!("double free: slot {} of lane {lane:?}", self.index(lane, start));
    }
}
