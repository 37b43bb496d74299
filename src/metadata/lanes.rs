//! The metadata as what lanes and reclaims work on.

use core::ptr;

use super::{LaneParts, Metadata};
use crate::fatal::{self, Misuse};
use crate::magazine::Magazine;
use crate::magazine::gate::Gate;
use crate::magazine::lane_pool::Lanes;
use crate::magazine::mode::Mode;
use crate::magazine::reclaim::{Caches, Reclaim};
use crate::slots::class::Class;
use crate::slots::lane::Lane;
use crate::slots::slab::Slab;
use crate::slots::slot_set::SlotSet;
use crate::thread::current::Own;
use crate::thread::section::Section;

impl Caches for Metadata {
    fn key(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    fn used_places(&self) -> usize {
        self.places.used()
    }

    fn gate(&self, place: usize) -> &Gate {
        self.record(place).gate()
    }

    fn magazine(&self, place: usize, lane: Lane) -> &Magazine {
        self.record(place).magazine(lane)
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

impl Lanes for Metadata {
    type Own = Own;

    #[inline]
    fn inside<R>(&self, own: Own, lane: Lane, f: impl FnOnce(&Magazine) -> Option<R>) -> Option<R> {
        let inside = own.enter()?;
        f(inside.magazine(lane))
    }

    #[inline]
    fn home(&self, own: Own) -> usize {
        self.place_of(own.record())
    }

    #[inline]
    fn first_capacity(&self, lane: Lane) -> usize {
        self.first_capacities[lane.index()]
    }

    #[inline]
    fn most_capacity(&self, lane: Lane) -> usize {
        self.most_capacities[lane.index()]
    }

    fn with_reclaim<R>(&self, f: impl FnOnce(&Reclaim) -> R) -> R {
        let section = Section::enter(self.key());
        let result = f(&self.reclaim);
        drop(section);
        // If a signal handler has forked in the section.
        self.is_settled();
        result
    }

    #[inline]
    fn is_settled(&self) -> bool {
        self.is_settled()
    }

    #[inline]
    fn start(&self, lane: Lane, index: usize) -> *mut u8 {
        let LaneParts { slab, first, .. } = &self.lanes[lane.index()];
        // SAFETY: the offset of a slot in the reservation at `base`.
        unsafe { Slab::pointer(self.base, slab.offset_of(first + index)) }
    }

    #[inline]
    fn index(&self, lane: Lane, start: *mut u8) -> usize {
        let LaneParts { slab, first, .. } = &self.lanes[lane.index()];
        slab.index_of(start.addr() - self.base.addr()) - first
    }

    fn double_free(&self, lane: Lane, start: *mut u8) -> ! {
        let index = self.lanes[lane.index()].first + self.index(lane, start);
        fatal::misuse(Misuse::DoubleFree, Class::ALL[lane.class()], index, start.addr());
    }
}
