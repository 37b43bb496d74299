//! Orphans: places whose owners died without giving them back, and how the next thread gets one of them.
//!
//! A thread may allocate for the first time in its very last destructors. It gets a place, but no hook is
//! called after that. If a thread ends by a bare system call, no hook is called either. So a claim that finds
//! every place taken asks the system which owners are dead.
//!
//! | step | owner, at its exit | asking thread |
//! |---|---|---|
//! | 1 | stores 0 in `owner` | replaces the owner's number with its own, marked (compare-exchange) |
//! | 2 | gives the place back | asks the system whether the owner is gone |
//! | 3 | | if so, and its mark is still there, takes the place; otherwise puts the owner's number back (compare-exchange) |
//!
//! While the mark is there, the owner in question has not left, no later owner has come, and no other thread
//! is asking. So an answer is about this owner, never about a later one, whose number may be the same. If an
//! asking thread is stopped in between, no other thread gets the place.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `owner` | owners (Relaxed), asking threads (Acquire) | nothing: a thread that the system reports gone does nothing more |

use crate::magazine::reclaim::MagazineStore;
use crate::metadata::Metadata;
use crate::os;
use crate::sync::Ordering::{Acquire, Relaxed};

/// The bit of `owner` that marks the number of an asking thread.
const ASKED_BY: u64 = 1 << 63;

/// Finds a taken place whose owner is gone, and makes it the caller's by `set_up`. Looks at 64 places, at
/// other ones each time. `None` if no such place is among them.
///
/// At most one system call for each of the 64, and one more for each owner that is gone.
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
        // If the owner died inside, its cached slots may be half moved. Its place stays taken, and reclaims
        // need not wait for it.
        if is_orphan && state.gate().abandon_unless_open(metadata.key()) {
            set_up(place);
            return true;
        }
        let _ = state.owner.compare_exchange(mark, if is_orphan { 0 } else { owner }, Relaxed, Relaxed);
        false
    })
}
