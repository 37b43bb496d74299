//! The equations that hold while no thread is inside the allocator, for tests to check.
//!
//! - `in_use + cached + free == slots` in each class, and `hits - returns == in_use`.
//! - Each slot is in exactly one place: in its lane's set, in one magazine, or live.
//! - A set of several words has as many permits as bits; a lane that is set-only or off has nothing cached.

use super::Pools;
use crate::magazine::lane_pool::LaneStore;
use crate::magazine::mode::LaneMode;
use crate::magazine::reclaim::MagazineStore;
use crate::metadata::Metadata;
use crate::slots::class::Class;
use crate::slots::lane::Lane;

/// The number of a lane's slots in each kind of place.
#[derive(Default)]
struct Places {
    free: usize,
    cached: usize,
    live: usize,
}

impl Pools {
    /// Checks all the equations. Allocates nothing if they hold.
    ///
    /// # Panics
    ///
    /// If an equation does not hold. While another thread is inside the allocator, it may only seem so.
    pub(crate) fn check_invariants(&self) {
        let Some(metadata) = self.metadata_cell.get().filter(|metadata| !metadata.base.is_null()) else {
            return;
        };
        let stats = self.stats();
        for class in Class::ALL {
            let lanes = [Lane::new(class as usize, false), Lane::new(class as usize, true)];
            let places = lanes.map(|lane| check_lane(metadata, lane));
            let live: usize = places.iter().map(|places| places.live).sum();
            let all: usize = places.iter().map(|places| places.free + places.cached + places.live).sum();
            let stats = stats.class(class);
            assert_eq!(all as u64, stats.slots, "{class}: in use + cached + free");
            assert_eq!(stats.hits - stats.returns, live as u64, "{class}: hits - returns");
            assert_eq!(stats.in_use, live as u64, "{class}: in use");
            assert!(stats.peak >= stats.in_use && stats.peak <= stats.slots, "{class}: peak");
        }
    }
}

fn check_lane(metadata: &Metadata, lane: Lane) -> Places {
    let set = metadata.set(lane);
    let mut places = Places::default();
    for index in 0..set.slots() {
        let start = metadata.start(lane, index);
        // SAFETY: the start of a slot.
        let is_live = unsafe { metadata.map.cell_of_start(start.addr()) }.read().is_live();
        let is_free = set.has(index);
        let owners = magazines_with(metadata, lane, start);
        let found = usize::from(is_free) + owners + usize::from(is_live);
        assert_eq!(
            found, 1,
            "{lane:?} slot {index}: in the set {is_free}, in {owners} magazines, live {is_live}"
        );
        places.free += usize::from(is_free);
        places.cached += owners;
        places.live += usize::from(is_live);
    }
    assert_eq!(set.free(), places.free, "{lane:?}: permits and bits");
    let mode = metadata.mode(lane).get();
    let may_cache = matches!(mode, LaneMode::Cached | LaneMode::Pending);
    assert!(places.cached == 0 || may_cache, "{lane:?}: {} cached, {mode:?}", places.cached);
    places
}

/// Counts how often a slot is in a magazine.
fn magazines_with(metadata: &Metadata, lane: Lane, start: *mut u8) -> usize {
    let magazines = (0..metadata.used_places()).map(|place| metadata.magazine(place, lane));
    magazines.map(|magazine| magazine.peek().filter(|&slot| slot == start).count()).sum()
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use std::alloc::System;

    use super::*;
    use crate::config::Config;
    use crate::pools::Block;

    /// Makes pools with one live slot of Large, and returns its index too.
    fn with_a_live_slot() -> (Pools, Block, u32) {
        let pools = Pools::of_a_value(&Config::new());
        pools.reserve(&System);
        let block = pools.take(pools.shared_tally(), Layout::new::<[u8; 100_000]>()).unwrap();
        let index = pools.metadata().index(LARGE, block.start) as u32;
        (pools, block, index)
    }

    const LARGE: Lane = Lane::new(Class::Large as usize, true);

    #[test]
    fn they_hold_with_blocks_that_live_and_without() {
        let (pools, block, _) = with_a_live_slot();
        pools.check_invariants();
        let found = pools.find(block.start, Layout::new::<[u8; 100_000]>());
        // SAFETY: just found, and the block is not used any more.
        unsafe { pools.give(pools.shared_tally(), found) };
        pools.check_invariants();
    }

    #[test]
    #[should_panic(expected = "in the set true, in 0 magazines, live true")]
    fn a_slot_in_two_places_is_seen() {
        let (pools, _, index) = with_a_live_slot();
        pools.metadata().set(LARGE).give(&[index]).unwrap();
        pools.check_invariants();
    }

    #[test]
    #[should_panic(expected = "in the set false, in 0 magazines, live false")]
    fn a_slot_that_is_nowhere_is_seen() {
        let (pools, block, _) = with_a_live_slot();
        // SAFETY: the start of a slot.
        unsafe { pools.metadata().map.cell_of_start(block.start.addr()) }.retire(LARGE);
        pools.check_invariants();
    }

    #[test]
    #[should_panic(expected = "Large: hits - returns")]
    fn a_count_that_differs_is_seen() {
        let (pools, ..) = with_a_live_slot();
        pools.shared_tally().give(LARGE);
        pools.check_invariants();
    }
}
