//! Magazines, reclaims, and threads that come and go, on lanes that run dry.
//!
//! Each test ends with [`World::assert_whole`]. Slots carry their owner's number, see [`Content`](crate::sync::loom_check::Content).

use loom::thread::spawn;

use super::world::{HELD, OPEN, World};
use crate::magazine::mode::LaneMode;
use crate::magazine::reclaim::MagazineStore;
use crate::sync::loom_check::check;

/// The one owner's magazine is emptied while the owner takes and gives.
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

/// All slots cached, two that want them, and the owner, who goes on using them.
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

/// A third thread forks meanwhile.
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

/// Two threads, each with a place, that take all they can get from each other.
#[test]
fn two_owners_call_in_each_others_slots() {
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

/// A lane on its way back to cached, an owner who starts to cache again, and one who finds the lane dry at once.
#[test]
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

/// One thread revokes and restores again and again while the owner is anywhere in its takes and gives.
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

/// A thread ends with slots in its magazine, and the next one gets its place, while a third wants them.
#[test]
fn a_place_passes_from_owner_to_owner_while_its_magazine_is_called_in() {
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

/// A place that no reclaim has ever seen is claimed while one looks.
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

/// Held-back slots first, then open ones: both lanes are revoked at once, by one thread, while others have slots of both.
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

/// An owner that stands still inside keeps what it has cached, and nothing else; what it had comes back when it goes on.
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
