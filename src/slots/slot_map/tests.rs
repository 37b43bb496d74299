//! What a byte says after each step of a slot's life, and which byte an address has.

use super::*;

const GRANULE_SHIFT: u32 = 10;

/// A map over `bytes` as if the reservation were at the third granule.
fn map(bytes: &[AtomicU8]) -> (SlotMap, usize) {
    let base = 3 << GRANULE_SHIFT;
    (SlotMap::new(bytes.as_ptr(), core::ptr::without_provenance_mut(base), GRANULE_SHIFT), base)
}

/// Live, clean, unknown.
fn says(entry: Entry<'_>) -> [bool; 3] {
    [entry.read().is_live(), entry.is_clean(), entry.read().is_unknown()]
}

#[test]
fn a_byte_says_what_its_slot_has_been_through() {
    for lane in Lane::ALL {
        let byte = AtomicU8::new(0);
        let entry = Entry(&byte);
        assert_eq!(says(entry), [false, true, true]);
        entry.hand_out(lane);
        assert_eq!((says(entry), entry.read().lane()), ([true, false, false], lane));
        entry.retire(lane);
        assert_eq!((says(entry), entry.read().lane()), ([false, false, false], lane));
        entry.set_clean(lane);
        assert_eq!((says(entry), entry.read().lane()), ([false, true, false], lane));
    }
}

#[test]
fn a_slot_is_retired_once() {
    for lane in Lane::ALL {
        let byte = AtomicU8::new(0);
        let entry = Entry(&byte);
        assert!(!entry.retire_once(lane));
        entry.hand_out(lane);
        assert!(entry.retire_once(lane));
        assert_eq!((says(entry), entry.read().lane()), ([false, false, false], lane));
        assert!(!entry.retire_once(lane));
        entry.set_clean(lane);
        assert!(!entry.retire_once(lane));
    }
}

#[test]
fn only_a_live_slot_of_the_lane_is_one() {
    for lane in Lane::ALL {
        let byte = AtomicU8::new(0);
        let entry = Entry(&byte);
        let assert_live = |is_live: bool| {
            assert_eq!(
                Lane::ALL.map(|other| entry.read().is(Slot::LIVE, other)),
                Lane::ALL.map(|other| is_live && other == lane)
            );
            assert!(!Lane::ALL.iter().any(|&other| entry.read().is(Slot::NEVER, other)));
        };
        assert_live(false);
        entry.hand_out(lane);
        assert_live(true);
        entry.retire(lane);
        assert_live(false);
        entry.set_clean(lane);
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
        let entry = |address| unsafe { map.entry(address) };
        assert!(map.is_granule(start));
        entry(start).hand_out(Lane::ALL[5]);
        assert_ne!(byte.load(Relaxed), 0);
        // SAFETY: as above.
        assert_eq!(unsafe { map.entry_of_start(start) }.read(), entry(start).read());
        for within in [1, 8, 512, 1_023] {
            assert!(!map.is_granule(start + within));
            assert!(entry(start + within).read().is_unknown());
        }
        assert_eq!(bytes.iter().filter(|byte| byte.load(Relaxed) != 0).count(), i + 1);
    }
}
