//! How the child of a `fork` finds out, at no cost to anybody else: one word that the kernel wipes in it.
//!
//! Only the thread that called `fork` goes on in the child. The others' places, and the reclaim lock if one of them held it, are
//! for the child to take over before it changes a lane's mode or looks for a free place. That thread does it, which alone knows the place
//! that is still in use: its own. The C library calls it for that in the child; after a bare system call, it does so on its next slow
//! way, and until then the threads that it started have no places, and call nobody's slots in. A signal handler that forks and returns in the
//! child may have interrupted what must not be cut in two; the thread then settles when it is through with that: see [`section`](crate::thread::section).
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | the word | the kernel or [`wipe`](ForkMark::wipe) (`WIPED`), start-up (Release), who takes over (AcqRel) | that places and lock are in order |

use core::ptr::NonNull;

use crate::os;
use crate::sync::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Release},
};

/// The word in its wiped page.
pub(super) struct ForkMark(NonNull<AtomicUsize>);

const WIPED: usize = 0;
const SETTLED: usize = 1;
const TAKING_OVER: usize = 2;
/// The bits of the word that are one of these. Above `SETTLED` is the number of the process.
const STATE: usize = 3;

/// By the number alone, without the count of forks: a handler that comes before the hook that counts may settle the child first.
fn settled_here() -> usize {
    (os::this_process() << 2) as usize | SETTLED
}

impl ForkMark {
    /// `None` where the system cannot wipe memory on `fork`.
    pub(crate) fn new() -> Option<Self> {
        let mark = Self(os::map_wiped_on_fork(size_of::<AtomicUsize>())?.cast());
        mark.word().store(settled_here(), Release);
        Some(mark)
    }

    /// Whether no `fork` is to be seen to. In a child, runs `take_over` once, on the thread that called `fork`, unless `begin` says that it is
    /// at something that must not be cut in two; until that is done, and for the handlers that interrupt it, `false`.
    pub(super) fn settle<S>(&self, begin: impl Fn() -> Option<S>, take_over: impl Fn()) -> bool {
        let change = |from, to| self.word().compare_exchange(from, to, AcqRel, Acquire).is_ok();
        // Again only after a `fork` by a signal handler that interrupted this, in the child of that.
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

    /// Says in the child of a `fork` what the kernel should have said: some answer `MADV_WIPEONFORK` with success and wipe nothing.
    ///
    /// Not if this process has settled already: another handler of its may have come first, and may have started threads since.
    pub(super) fn wipe(&self) {
        if self.word().load(Acquire) != settled_here() {
            self.word().store(WIPED, Release);
        }
    }

    fn word(&self) -> &AtomicUsize {
        // SAFETY: a page of its own, zeroed, which is a valid atomic, and never unmapped.
        unsafe { self.0.as_ref() }
    }
}
