//! Settling: what the child of a `fork` does to take over its parent's places. See
//! [`fork_mark`](crate::metadata::fork_mark).

use super::Metadata;
use crate::magazine::reclaim::MagazineStore;
use crate::metadata::fork_mark::ForkMark;
use crate::os;
use crate::sync::Ordering::Relaxed;
use crate::thread::current;
use crate::thread::section::Section;
use crate::thread::state::ThreadState;

impl Metadata {
    /// Settles in the child of a `fork`. To be called there on the thread that called `fork`.
    pub(crate) fn settle_child(&self) {
        self.fork_mark.iter().for_each(ForkMark::wipe);
        self.settle_after_fork();
    }

    /// Settles if this is the child of a `fork` and has not settled yet. Returns `false` while it has not. To
    /// be called before the reclaim lock is tried or a place is looked for.
    #[inline]
    pub(crate) fn settle_after_fork(&self) -> bool {
        self.fork_mark.as_ref().is_none_or(|mark| {
            let begin = || Section::enter_first(self.key());
            mark.settle(begin, || {
                self.take_over_places();
                // SAFETY: this thread called `fork`. It does not hold the lock: if it did, it would be in a
                // section and not come here. The threads that it has started since are sent away until this
                // is done.
                unsafe { self.reclaim.take_over(self) };
            })
        })
    }

    /// Frees the places of the parent's other threads, which are not in the child.
    ///
    /// If a thread was inside, or was getting its place ready, its place stays taken and what its magazines
    /// hold is lost. The magazines of all other threads are left for a reclaim or the next owner. Places that
    /// are not taken are left alone, because the gates of new ones have no key yet.
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
