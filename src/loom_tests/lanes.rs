//! Magazines, reclaims, and threads that start and exit, on lanes that run dry.
//!
//! Each test ends with [`World::assert_whole`]. Each slot holds its owner's number: see
//! [`Content`](crate::sync::loom_check::Content).

use loom::thread::spawn;

use super::world::{HELD, OPEN, World};
use crate::magazine::mode::LaneMode;
use crate::magazine::reclaim::MagazineStore;
use crate::sync::loom_check::check;

/// Reclaims the magazine of the only owner while that owner takes and gives.
#[test]
fn a_revocation_and_the_owner_share_no_slot_and_lose_none() {
    for (slots, switches) in [(2, 3), (3, 2)] {
        check(switches, move || {
            let world = World::new(0, slots, LaneMode::Cached);
            let (owner, thief) = (world.owner(1), world.guest(2));
            let thief = spawn(move || thief.take_and_give(slots, HELD));
            owner.take_and_give(1, HELD);
            owner.take_and_give(1, HELD);
            thief.join().unwrap();
            world.assert_whole();
        });
    }
}

/// Lets two threads reclaim all slots from one owner, who goes on using its magazine.
#[test]
fn two_revocations_and_the_owner_share_no_slot_and_lose_none() {
    check(2, || {
        let world = World::new(0, 2, LaneMode::Cached);
        let owner = world.owner(1);
        owner.take_and_give(2, HELD);
        let thieves = [2, 3].map(|id| {
            let thief = world.guest(id);
            spawn(move || thief.take_and_give(1, HELD))
        });
        owner.take_and_give(1, HELD);
        thieves.into_iter().for_each(|thief| _ = thief.join().unwrap());
        world.assert_whole();
    });
}

/// Looks at a magazine as the child of a `fork` would, while another thread empties it.
#[test]
fn a_magazine_that_is_emptied_shows_no_slot_twice() {
    check(3, || {
        let world = World::new(0, 3, LaneMode::Cached);
        let (owner, thief) = (world.owner(1), world.guest(2));
        owner.take_and_give(3, HELD);
        let thief = spawn(move || thief.take_and_give(1, HELD));
        let mut found = world.found_by_a_child(HELD);
        let all = found.len();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), all, "the child of a fork would have a slot twice");
        thief.join().unwrap();
        world.assert_whole();
    });
}

/// Lets two owners take every slot they can get from each other.
#[test]
fn two_owners_reclaim_each_others_slots() {
    for slots in [2, 3] {
        check(3, move || {
            let world = World::new(0, slots, LaneMode::Cached);
            let (one, other) = (world.owner(1), world.owner(2));
            let other = spawn(move || other.take_and_give(2, HELD));
            one.take_and_give(2, HELD);
            other.join().unwrap();
            world.assert_whole();
        });
    }
}

/// Lets an owner start to cache again while its lane returns to cached, and a third thread finds the lane
/// dry. Four threads: it takes two minutes. `tests/long.sh` runs it.
#[test]
#[ignore = "takes two minutes"]
fn a_lane_that_becomes_cached_again_while_it_is_revoked_loses_nothing() {
    check(2, || {
        let world = World::new(0, 2, LaneMode::SetOnly);
        let (owner, giver, thief) = (world.owner(1), world.guest(2), world.guest(3));
        let given = giver.take(HELD).unwrap();
        let giver = spawn(move || giver.give(given));
        let thief = spawn(move || thief.take_and_give(1, HELD));
        owner.take_and_give(1, HELD);
        owner.take_and_give(1, HELD);
        giver.join().unwrap();
        thief.join().unwrap();
        world.assert_whole();
    });
}

/// Lets one thread revoke and resume caching again and again, wherever the owner is in its takes and gives.
#[test]
fn an_owner_may_have_read_the_mode_as_long_ago_as_it_likes() {
    check(3, || {
        let world = World::new(0, 2, LaneMode::Cached);
        let (owner, thief) = (world.owner(1), world.guest(2));
        owner.take_and_give(1, HELD);
        let thief = spawn(move || (0..2).for_each(|_| _ = thief.take_and_give(2, HELD)));
        owner.take_and_give(1, HELD);
        thief.join().unwrap();
        world.assert_whole();
    });
}

/// Lets a thread exit with slots in its magazine. The next owner claims its place while a third thread
/// reclaims.
#[test]
fn a_place_passes_from_owner_to_owner_while_its_magazine_is_reclaimed() {
    check(2, || {
        let world = World::new(0, 2, LaneMode::Cached);
        let (first, thief) = (world.owner(1), world.guest(2));
        first.take_and_give(2, HELD);
        let thief = spawn(move || thief.take_and_give(1, HELD));
        let first = spawn(move || first.exit());
        let second = world.owner(3);
        second.take_and_give(1, HELD);
        first.join().unwrap();
        thief.join().unwrap();
        world.assert_whole();
    });
}

/// Claims a place that no reclaim has seen yet, while a reclaim looks.
#[test]
fn a_new_place_is_revoked_or_sees_that_the_lane_is() {
    check(2, || {
        let world = World::new(0, 2, LaneMode::Cached);
        let thief = world.guest(1);
        let thief = spawn(move || thief.take_and_give(3, HELD));
        let owner = world.owner(2);
        owner.take_and_give(1, HELD);
        owner.take_and_give(1, HELD);
        owner.exit();
        thief.join().unwrap();
        world.assert_whole();
    });
}

/// Revokes both lanes at once on one thread, which takes held-back slots first, then open ones. Another
/// thread takes and gives an open slot meanwhile.
#[test]
fn two_lanes_are_revoked_together() {
    check(4, || {
        let world = World::new(1, 1, LaneMode::Cached);
        let (open, held) = (world.owner(1), world.owner(2));
        let open = spawn(move || open.take_and_give(1, OPEN));
        held.take_and_give(1, HELD);
        held.take_and_give(2, HELD);
        open.join().unwrap();
        world.assert_whole();
    });
}

/// Stops an owner inside. It keeps back the slots that it has cached, and no others. They come back when it
/// goes on.
#[test]
fn an_owner_that_stopped_inside_is_emptied_later() {
    check(3, || {
        let world = World::new(0, 4, LaneMode::Cached);
        let (stopped, owner, thief) = (world.owner(1), world.owner(2), world.guest(3));
        stopped.take_and_give(2, HELD);
        stopped.stop_inside();
        let owner = spawn(move || owner.take_and_give(1, HELD));
        thief.take_and_give(4, HELD);
        owner.join().unwrap();
        assert_eq!(thief.take_and_give(4, HELD), 2, "a stopped owner keeps more than its own");
        assert_eq!(world.mode(HELD).get(), LaneMode::Pending);
        stopped.go_on();
        world.assert_whole();
    });
}
