//! The view of the metadata that lane pools and reclaims work on.

use core::ptr;

use super::{LaneParts, Metadata};
use crate::fatal::{self, Misuse, invariant};
use crate::magazine::Magazine;
use crate::magazine::gate::Gate;
use crate::magazine::lane_pool::LaneStore;
use crate::magazine::mode::Mode;
use crate::magazine::reclaim::{MagazineStore, Reclaim};
use crate::slots::class::Class;
use crate::slots::lane::Lane;
use crate::slots::slab::Slab;
use crate::slots::slot_set::SlotSet;
use crate::thread::current::OwnState;
use crate::thread::section::Section;

impl MagazineStore for Metadata {
    fn key(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    fn used_places(&self) -> usize {
        self.places.used()
    }

    fn gate(&self, place: usize) -> &Gate {
        self.thread_state(place).gate()
    }

    fn magazine(&self, place: usize, lane: Lane) -> &Magazine {
        self.thread_state(place).magazine(lane)
    }

    fn mode(&self, lane: Lane) -> &Mode {
        &self.modes[lane.index()]
    }

    fn set(&self, lane: Lane) -> &SlotSet {
        &self.lanes[lane.index()].set
    }

    fn give_to_set(&self, lane: Lane, slots: &[*mut u8]) {
        self.pool(lane).give_to_set(slots);
    }
}

impl LaneStore for Metadata {
    type OwnState = OwnState;

    #[inline]
    fn inside<R>(&self, own: OwnState, lane: Lane, f: impl FnOnce(&Magazine) -> R) -> Option<R> {
        let guard = own.enter()?;
        Some(f(guard.magazine(lane)))
    }

    #[inline]
    fn search_start(&self, own: OwnState) -> usize {
        self.place_of(own.state())
    }

    #[inline]
    fn first_capacity(&self, lane: Lane) -> usize {
        self.first_capacities[lane.index()]
    }

    #[inline]
    fn max_capacity(&self, lane: Lane) -> usize {
        self.max_capacities[lane.index()]
    }

    fn with_reclaim<R>(&self, f: impl FnOnce(&Reclaim) -> R) -> R {
        let section = Section::enter(self.key());
        let result = f(&self.reclaim);
        drop(section);
        // A signal handler may have forked in the section.
        self.settle_after_fork();
        result
    }

    #[inline]
    fn settle_after_fork(&self) -> bool {
        self.settle_after_fork()
    }

    #[inline]
    fn start(&self, lane: Lane, index: usize) -> *mut u8 {
        invariant!(index < self.set(lane).slots(), "a slot index lies in its lane");
        let LaneParts { slab, first, .. } = &self.lanes[lane.index()];
        // SAFETY: the offset of a slot in the reservation at `base`.
        unsafe { Slab::pointer(self.base, slab.offset_of(first + index)) }
    }

    #[inline]
    fn index(&self, lane: Lane, start: *mut u8) -> usize {
        let LaneParts { slab, first, .. } = &self.lanes[lane.index()];
        let index = slab.index_of(start.addr() - self.base.addr());
        invariant!(index >= *first && index - first < self.set(lane).slots(), "a slot is one of its lane's");
        index - first
    }

    fn double_free(&self, lane: Lane, start: *mut u8) -> ! {
        let index = self.lanes[lane.index()].first + self.index(lane, start);
        fatal::misuse(Misuse::DoubleFree, Class::ALL[lane.class()].name(), index, start.addr());
    }
}
