//! The mark by which a process finds out that it is the child of a `fork`: one word that the kernel wipes
//! there. No other process pays for it.
//!
//! Only the thread that called `fork` goes on in the child. The child must take over the places of the other
//! threads, and the reclaim lock if one of them held it. It must do so before it changes a lane's mode or
//! looks for a free place. The thread that called `fork` does it, because it alone knows the place that is
//! still in use: its own.
//!
//! The C library makes that thread do it in the child. After a bare system call, the thread does it on its
//! next slow path. Until then the threads that it has started have no places and reclaim no slots.
//!
//! A signal handler that forks and returns in the child may have interrupted a step that must not be cut in
//! two. Then the thread settles at the end of that step: see [`section`](crate::thread::section).
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | the word | the kernel or [`wipe`](ForkMark::wipe) (`WIPED`), start-up (Release), the thread that takes over (AcqRel) | that places and lock are in order |

use core::ptr::NonNull;

use crate::os;
use crate::sync::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Release},
};

/// The word, in a page that the kernel wipes in a child.
pub(super) struct ForkMark(NonNull<AtomicUsize>);

const WIPED: usize = 0;
const SETTLED: usize = 1;
const TAKING_OVER: usize = 2;
/// The bits of the word that hold one of these three. Above `SETTLED` is the number of the process.
const STATE: usize = 3;

/// Returns the word of this process once it is settled. It has the process's number, without the count of
/// forks: a signal handler may settle the child before the hook that counts has run.
fn settled_here() -> usize {
    (os::this_process() << 2) as usize | SETTLED
}

impl ForkMark {
    /// Makes the mark of a settled process. `None` where the system cannot wipe memory on `fork`.
    pub(crate) fn new() -> Option<Self> {
        let mark = Self(os::map_wiped_on_fork(size_of::<AtomicUsize>())?.cast());
        mark.word().store(settled_here(), Release);
        Some(mark)
    }

    /// Returns whether this process is settled. In a child, runs `take_over` once, on the thread that called
    /// `fork`.
    ///
    /// If `begin` returns `None`, that thread is in a step that must not be cut in two, and nothing is taken
    /// over. Until the child is taken over, the result is `false`, also for the handlers that interrupt the
    /// taking over.
    pub(super) fn settle<S>(&self, begin: impl Fn() -> Option<S>, take_over: impl Fn()) -> bool {
        let change = |from, to| self.word().compare_exchange(from, to, AcqRel, Acquire).is_ok();
        // Takes over again only in a child that a signal handler forked while it interrupted this.
        loop {
            match self.word().load(Acquire) {
                word if word & STATE == SETTLED => return true,
                WIPED if os::is_first_thread() => {}
                _ => return false,
            }
            let Some(_section) = begin() else { return false };
            if change(WIPED, TAKING_OVER) {
                take_over();
                change(TAKING_OVER, settled_here());
            }
        }
    }

    /// Wipes the word in the child of a `fork`, because some kernels answer `MADV_WIPEONFORK` with success
    /// and wipe nothing.
    ///
    /// If this process has settled already, the word stays: a signal handler in it may have come first, and
    /// may have started threads since.
    pub(super) fn wipe(&self) {
        if self.word().load(Acquire) != settled_here() {
            self.word().store(WIPED, Release);
        }
    }

    fn word(&self) -> &AtomicUsize {
        // SAFETY: the word has a page of its own, which is never unmapped. Zeros are a valid atomic.
        unsafe { self.0.as_ref() }
    }
}
