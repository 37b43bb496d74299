//! What the child of a `fork` does before it goes on: see [`fork`](crate::metadata::fork_mark).

use super::Metadata;
use crate::magazine::reclaim::MagazineStore;
use crate::metadata::fork_mark::ForkMark;
use crate::os;
use crate::sync::Ordering::Relaxed;
use crate::thread::current;
use crate::thread::section::Section;
use crate::thread::state::ThreadState;

impl Metadata {
    /// To be called in the child of a `fork`, on the thread that called it.
    pub(crate) fn settle_child(&self) {
        self.fork_mark.iter().for_each(ForkMark::wipe);
        self.settle_after_fork();
    }

    /// To be asked before the reclaim lock is tried or a place is looked for: `false` while the child of a `fork` is not in order
    /// yet.
    #[inline]
    pub(crate) fn settle_after_fork(&self) -> bool {
        self.fork_mark.as_ref().is_none_or(|mark| {
            let begin = || Section::enter_first(self.key());
            mark.settle(begin, || {
                self.take_over_places();
                // SAFETY: this thread called `fork`. It does not hold the lock, because it would be in a section then; the threads that it has
                // started since are sent away until this is done.
                unsafe { self.reclaim.take_over(self) };
            })
        })
    }

    /// In the child of a `fork`: frees the places of the threads that did not come along. One caught inside, or while it got its place ready, stays
    /// taken, and what its magazines hold is lost; the magazines of the others are left for a reclaim or the next owner.
    ///
    /// Places that nobody has are left alone: the gates of new ones have no key yet.
    fn take_over_places(&self) {
        let own = current::own_state();
        for state in self.places.taken().map(|place| self.thread_state(place)) {
            if core::ptr::eq(state, own) {
                state.owner.store(os::this_thread(), Relaxed);
            } else if state.gate().abandon_unless_open(self.key()) {
                self.release_place(state);
            }
        }
    }

    /// Gives a place back for the next thread to claim.
    pub(crate) fn release_place(&self, state: &ThreadState) {
        state.owner.store(0, Relaxed);
        self.places.release(self.place_of(state));
    }
}
