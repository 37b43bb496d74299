//! Places whose owners died without giving them back, and how the next thread gets one of them.
//!
//! A thread that allocates for the first time in its very last destructors gets a place, and no hook is called any more. One that leaves by a
//! bare system call gets none called either. So a claim that finds every place taken asks the system which owners are dead.
//!
//! | step | owner, at its exit | asker |
//! |---|---|---|
//! | 1 | stores 0 in `owner` | puts its own number, marked, in place of the owner's (compare-exchange) |
//! | 2 | gives the place back | asks the system whether the owner is gone |
//! | 3 | | has the place if so and its mark is still there; else puts the owner's number back (compare-exchange) |
//!
//! While the mark is there, the owner that was asked for has not left, no later owner has come, and no other asker has it. So an answer never
//! concerns an owner that came in between, whose number may be the same. An asker that stops in the middle keeps back that place.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `owner` | owners (Relaxed), askers (Acquire) | nothing: a thread that the system says is gone has done all that it ever will |

use crate::magazine::reclaim::MagazineStore;
use crate::metadata::Metadata;
use crate::os;
use crate::sync::Ordering::{Acquire, Relaxed};

/// In `owner` while somebody asks.
const ASKED_BY: u64 = 1 << 63;

/// A taken place whose owner is gone, made the caller's by `set_up`; `None` if there is none among those that are looked at: 64 of them, other ones
/// each time.
///
/// A system call for each, and a few for the one that is found.
#[cold]
pub(super) fn adopt(metadata: &Metadata, this_thread: u64, set_up: impl Fn(usize)) -> Option<usize> {
    let is_known = |owner: u64| owner != 0 && owner & ASKED_BY == 0;
    let mark = this_thread | ASKED_BY;
    metadata.places.next_word().find(|&place| {
        let state = metadata.thread_state(place);
        let owner = state.owner.load(Relaxed);
        if !is_known(owner) || state.owner.compare_exchange(owner, mark, Acquire, Relaxed).is_err() {
            return false;
        }
        let is_gone = owner == this_thread || os::is_gone(owner, this_thread);
        let is_orphan = is_gone && state.owner.load(Relaxed) == mark;
        // What an owner that died inside has cached may be half moved: its place stays taken, and reclaims need not wait for it.
        if is_orphan && state.gate().abandon_unless_open(metadata.key()) {
            set_up(place);
            return true;
        }
        let _ = state.owner.compare_exchange(mark, if is_orphan { 0 } else { owner }, Relaxed, Relaxed);
        false
    })
}
