//! Walks over lanes of every shape, with a simulated system: which pages are dropped, which slots become
//! clean, how many are held.

use std::alloc::System;
use std::collections::BTreeSet;

use super::*;
use crate::config::Config;
use crate::config::plan::Plan;
use crate::memory::reservation;
use crate::slots::class::Class;

/// Makes one allocator's metadata and slots, which are never unmapped and which only the calling test uses.
fn pools(config: &Config) -> &'static Metadata {
    let plan: &Plan = Box::leak(Box::new(Plan::new(config)));
    let mut metadata = Metadata::new(plan, true, &System).unwrap();
    let reservation = reservation::reserve(plan, &System).unwrap();
    // SAFETY: just made, and not shared yet; never unmapped.
    unsafe {
        metadata.as_mut().set_reservation(reservation, plan);
        metadata.as_ref()
    }
}

/// A lane as a test sees it. `live` holds indices, as the sets do.
struct Bench {
    metadata: &'static Metadata,
    lane: Lane,
    page_bytes: usize,
    live: BTreeSet<u32>,
}

impl Bench {
    fn new(metadata: &'static Metadata, lane: Lane, page_bytes: usize) -> Self {
        Self { metadata, lane, page_bytes, live: BTreeSet::new() }
    }

    fn parts(&self) -> &'static LaneParts {
        &self.metadata.lanes[self.lane.index()]
    }

    fn slots(&self) -> Range<u32> {
        0..self.parts().set.slots() as u32
    }

    fn cell(&self, slot: u32) -> TagCell<'static> {
        let LaneParts { slab, first, .. } = self.parts();
        let start = self.metadata.base.addr() + slab.offset_of(first + slot as usize);
        // SAFETY: the start of a slot.
        unsafe { self.metadata.map.cell_of_start(start) }
    }

    fn is_in_set(&self, slot: u32) -> bool {
        let taken = self.parts().set.take_among(slot as usize..slot as usize + 1, &mut [0]) == 1;
        if taken {
            self.parts().set.give(&[slot]).unwrap();
        }
        taken
    }

    fn use_slot(&mut self, slot: u32) {
        assert_eq!(self.parts().set.take_among(slot as usize..slot as usize + 1, &mut [0]), 1);
        self.cell(slot).hand_out(self.lane);
        self.live.insert(slot);
    }

    fn free(&mut self, slot: u32) {
        assert!(self.live.remove(&slot));
        self.cell(slot).retire(self.lane);
        self.parts().set.give(&[slot]).unwrap();
    }

    fn use_and_free(&mut self, slots: impl IntoIterator<Item = u32>) {
        for slot in slots {
            self.use_slot(slot);
            self.free(slot);
        }
    }

    /// The pages that a slot touches, by their numbers in the reservation.
    fn pages_of(&self, slot: u32) -> Range<usize> {
        let LaneParts { slab, first, .. } = self.parts();
        let start = slab.offset_of(first + slot as usize);
        start / self.page_bytes..(start + slab.slot_bytes).div_ceil(self.page_bytes)
    }

    /// Whether free slots of this lane have a page to themselves.
    fn may_be_dropped(&self, page: usize) -> bool {
        let LaneParts { slab, first, set, .. } = self.parts();
        let bytes = page * self.page_bytes - slab.offset..(page + 1) * self.page_bytes - slab.offset;
        let touching = bytes.start / slab.slot_bytes..bytes.end.div_ceil(slab.slot_bytes).min(slab.slots);
        touching.clone().all(|slot| {
            let is_ours = (*first..first + set.slots()).contains(&slot);
            is_ours && !self.live.contains(&((slot - first) as u32))
        })
    }

    /// Finds by trial how many slots a page can touch.
    fn touched_by_a_page(&self) -> usize {
        let slot = self.parts().slab.slot_bytes;
        let touched =
            |page: usize| ((page + 1) * self.page_bytes).div_ceil(slot) - page * self.page_bytes / slot;
        (0..4096).map(touched).max().unwrap()
    }

    /// Trims, checks everything that must hold for any lane, and returns the pages dropped and the calls
    /// made.
    fn trim(&self, is_warm: bool) -> (BTreeSet<usize>, usize) {
        let set = &self.parts().set;
        let free = set.free();
        let max = (set.slots() / 8).min(free / 2).max(self.touched_by_a_page());
        let clean_before: Vec<_> = self.slots().filter(|&slot| self.cell(slot).is_clean()).collect();
        let (mut dropped, mut calls) = (BTreeSet::new(), 0);
        let is_complete = trim_lane(self.metadata, self.lane, self.page_bytes, is_warm, |offsets| {
            assert!(
                offsets.start.is_multiple_of(self.page_bytes) && offsets.end.is_multiple_of(self.page_bytes)
            );
            assert!(free - set.free() <= max, "{} of {free} held", free - set.free());
            for page in offsets.start / self.page_bytes..offsets.end / self.page_bytes {
                assert!(self.may_be_dropped(page), "page {page}");
                assert!(dropped.insert(page), "page {page} is dropped twice");
                let touching = self.slots().filter(|&slot| self.pages_of(slot).contains(&page));
                assert!(touching.into_iter().all(|slot| !self.is_in_set(slot)), "page {page}");
            }
            calls += 1;
            Some(())
        });
        assert_eq!((set.free(), is_complete), (free, self.live.is_empty()));
        for slot in self.slots() {
            let gone = |page: usize| self.may_be_dropped(page);
            let expected =
                !self.live.contains(&slot) && (clean_before.contains(&slot) || self.pages_of(slot).all(gone));
            assert_eq!(self.cell(slot).is_clean(), expected, "slot {slot}, live: {:?}", self.live);
            for page in self.pages_of(slot).filter(|_| !self.live.contains(&slot)) {
                let needed = is_warm || !clean_before.contains(&slot);
                assert!(!needed || dropped.contains(&page) == gone(page), "page {page} of slot {slot}");
            }
        }
        (dropped, calls)
    }
}

/// Makes a generator of pseudo-random numbers.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// Makes lanes with slots below a page, above one, and of odd sizes, and with hold-backs whose border lies
/// inside a page.
fn shapes() -> impl Iterator<Item = Bench> {
    let small = [64, 320, 1_024, 1_600, 4_096, 5_056].map(|bytes| (Class::Small, bytes, 203, 71));
    let large = [(Class::XLarge, 3_110_400, 21, 5), (Class::XLarge, 2 << 20, 40, 0)];
    small.into_iter().chain(large).flat_map(|(class, bytes, slots, held)| {
        [4_096, 16_384, 65_536].into_iter().flat_map(move |page_bytes| {
            let metadata = pools(&Config::new().class(class, bytes, slots).hold_back(class, held, 0));
            [false, true]
                .map(|is_held_back| Bench::new(metadata, Lane::new(class as usize, is_held_back), page_bytes))
        })
    })
}

#[test]
fn pages_that_free_slots_have_to_themselves_are_dropped_and_no_others() {
    let mut below = numbers();
    for mut bench in shapes().filter(|bench| !bench.slots().is_empty()) {
        for round in 0..12 {
            for slot in bench.slots() {
                // Mostly free, then mostly live.
                match (bench.live.contains(&slot), below(12) < round) {
                    (true, false) => bench.free(slot),
                    (false, true) => bench.use_slot(slot),
                    (false, false) if below(2) == 0 => bench.use_and_free([slot]),
                    _ => {}
                }
            }
            bench.trim(round % 3 == 2);
        }
    }
}

#[test]
fn with_nothing_live_every_page_of_the_lane_alone_is_dropped_once_and_then_no_more() {
    for mut bench in shapes().filter(|bench| !bench.slots().is_empty()) {
        bench.use_and_free(bench.slots());
        let (dropped, _) = bench.trim(false);
        let all: BTreeSet<_> = bench.slots().flat_map(|slot| bench.pages_of(slot)).collect();
        // All pages but the one that it shares with the other lane.
        assert!(all.len() - dropped.len() <= 1, "{} of {}", dropped.len(), all.len());
        if all == dropped {
            assert_eq!(bench.trim(false), (BTreeSet::new(), 0));
        }
        assert_eq!(bench.trim(true).0, dropped);
    }
}

#[test]
fn neighbours_go_in_one_call_an_eighth_of_the_lane_at_a_time() {
    let metadata = pools(&Config::new());
    for (class, calls) in [(0, 8), (1, 8), (2, 8), (3, 8)] {
        let mut bench = Bench::new(metadata, Lane::new(class, true), 4_096);
        bench.use_and_free(bench.slots());
        assert_eq!(bench.trim(false).1, calls);
    }
}

#[test]
fn a_clean_lane_costs_no_call() {
    let metadata = pools(&Config::new());
    for lane in Lane::ALL {
        assert_eq!(Bench::new(metadata, lane, 4_096).trim(false), (BTreeSet::new(), 0));
    }
}

#[test]
fn slots_whose_discard_is_denied_stay_dirty_and_the_rest_goes_on() {
    for (class, bytes) in [(Class::Small, 320), (Class::Small, 1_024), (Class::XLarge, 3_110_400)] {
        let metadata = pools(&Config::new().class(class, bytes, 100).hold_back(class, 0, 0));
        let mut bench = Bench::new(metadata, Lane::new(class as usize, true), 4_096);
        bench.use_and_free(bench.slots());
        let (mut denied, mut calls) = (BTreeSet::new(), 0);
        let is_complete = trim_lane(metadata, bench.lane, 4_096, false, |offsets| {
            calls += 1;
            if calls % 3 != 0 {
                return Some(());
            }
            denied.extend(offsets.step_by(4_096).map(|offset| offset / 4_096));
            None
        });
        assert!(!is_complete && bench.parts().set.free() == 100 && calls > 3);
        for slot in bench.slots() {
            let expected = bench.pages_of(slot).all(|page| !denied.contains(&page));
            assert_eq!(bench.cell(slot).is_clean(), expected, "slot {slot} of {bytes} bytes");
        }
        assert!(bench.trim(false).0.is_superset(&denied));
        assert!(bench.slots().all(|slot| bench.cell(slot).is_clean()));
    }
}

#[test]
fn a_lane_with_few_free_slots_keeps_half_of_them_within_reach() {
    let metadata = pools(&Config::new());
    let mut bench = Bench::new(metadata, Lane::new(Class::XLarge as usize, true), 4_096);
    bench.use_and_free(bench.slots());
    (0..60).for_each(|slot| bench.use_slot(slot));
    let set = &bench.parts().set;
    trim_lane(metadata, bench.lane, 4_096, false, |_| {
        assert_eq!(set.free(), 2);
        Some(())
    });
}
