//! The byte of a slot after each step of the slot's life, and which byte an address has.

use super::*;

const GRANULE_SHIFT: u32 = 10;

/// Returns a map over `bytes` for a reservation at the third granule, and the address of that.
fn map(bytes: &[AtomicU8]) -> (SlotMap, usize) {
    let base = 3 << GRANULE_SHIFT;
    (SlotMap::new(bytes.as_ptr(), core::ptr::without_provenance_mut(base), GRANULE_SHIFT), base)
}

/// Returns whether the slot is live, clean and unknown.
fn says(cell: TagCell<'_>) -> [bool; 3] {
    [cell.read().is_live(), cell.is_clean(), cell.read().is_unknown()]
}

#[test]
fn a_byte_says_what_its_slot_has_been_through() {
    for lane in Lane::ALL {
        let byte = AtomicU8::new(0);
        let cell = TagCell(&byte);
        assert_eq!(says(cell), [false, true, true]);
        cell.hand_out(lane);
        assert_eq!((says(cell), cell.read().lane()), ([true, false, false], lane));
        cell.retire(lane);
        assert_eq!((says(cell), cell.read().lane()), ([false, false, false], lane));
        cell.set_clean(lane);
        assert_eq!((says(cell), cell.read().lane()), ([false, true, false], lane));
    }
}

#[test]
fn a_slot_is_retired_once() {
    for lane in Lane::ALL {
        let byte = AtomicU8::new(0);
        let cell = TagCell(&byte);
        assert!(!cell.retire_once(lane));
        cell.hand_out(lane);
        assert!(cell.retire_once(lane));
        assert_eq!((says(cell), cell.read().lane()), ([false, false, false], lane));
        assert!(!cell.retire_once(lane));
        cell.set_clean(lane);
        assert!(!cell.retire_once(lane));
    }
}

#[test]
fn only_a_live_slot_of_the_lane_is_one() {
    for lane in Lane::ALL {
        let byte = AtomicU8::new(0);
        let cell = TagCell(&byte);
        let assert_live = |is_live: bool| {
            assert_eq!(
                Lane::ALL.map(|other| cell.read().matches(SlotTag::LIVE, other)),
                Lane::ALL.map(|other| is_live && other == lane)
            );
            assert!(!Lane::ALL.iter().any(|&other| cell.read().matches(SlotTag::NEVER, other)));
        };
        assert_live(false);
        cell.hand_out(lane);
        assert_live(true);
        cell.retire(lane);
        assert_live(false);
        cell.set_clean(lane);
        assert_live(false);
    }
}

#[test]
fn each_granule_has_a_byte_and_no_address_within_one_has_any() {
    let bytes = [const { AtomicU8::new(0) }; 4];
    let (map, base) = map(&bytes);
    for (i, byte) in bytes.iter().enumerate() {
        let start = base + (i << GRANULE_SHIFT);
        // SAFETY: all of these addresses lie in the four granules.
        let cell = |address| unsafe { map.cell(address) };
        assert!(map.is_granule(start));
        cell(start).hand_out(Lane::ALL[5]);
        assert_ne!(byte.load(Relaxed), 0);
        // SAFETY: as above.
        assert_eq!(unsafe { map.cell_of_start(start) }.read(), cell(start).read());
        for within in [1, 8, 512, 1_023] {
            assert!(!map.is_granule(start + within));
            assert!(cell(start + within).read().is_unknown());
        }
        assert_eq!(bytes.iter().filter(|byte| byte.load(Relaxed) != 0).count(), i + 1);
    }
}
