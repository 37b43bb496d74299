//! How the child of a `fork` finds out, at no cost to anybody else: one word that the kernel wipes in it.
//!
//! Only the thread that called `fork` goes on in the child. The others' places, and the reclaim lock if one of them held it, are
//! for the child to take over before it changes a lane's mode or looks for a free place. That thread does it, which alone knows the place
//! that is still in use: its own. The C library calls it for that in the child; after a bare system call, it does so on its next slow
//! way, and until then the threads that it started have no places, and call nobody's slots in.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | the word | the kernel or [`wipe`](ForkMark::wipe) (`WIPED`), start-up and who takes over (Release), who begins to (Acquire) | that places and lock are in order |

use core::ptr::NonNull;

use crate::os;
use crate::sync::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

/// The word in its wiped page.
pub(crate) struct ForkMark(NonNull<AtomicUsize>);

const WIPED: usize = 0;
const SETTLED: usize = 1;
const TAKING_OVER: usize = 2;

impl ForkMark {
    /// `None` where the system cannot wipe memory on `fork`.
    pub(crate) fn new() -> Option<Self> {
        let mark = Self(os::map_wiped_on_fork(size_of::<AtomicUsize>())?.cast());
        mark.word().store(SETTLED, Release);
        Some(mark)
    }

    /// Whether no `fork` is to be seen to. In a child, runs `take_over` once, on the thread that called `fork`; until that is done, and
    /// for whoever interrupted it, `false`.
    pub(crate) fn settle(&self, take_over: impl FnOnce()) -> bool {
        match self.word().load(Acquire) {
            SETTLED => true,
            WIPED
                if os::is_first_thread()
                    && self.word().compare_exchange(WIPED, TAKING_OVER, Acquire, Acquire).is_ok() =>
            {
                take_over();
                self.word().store(SETTLED, Release);
                true
            }
            _ => false,
        }
    }

    /// Says in the child of a `fork` what the kernel should have said: some answer `MADV_WIPEONFORK` with success and wipe nothing.
    pub(crate) fn wipe(&self) {
        self.word().store(WIPED, Release);
    }

    fn word(&self) -> &AtomicUsize {
        // SAFETY: a page of its own, zeroed, which is a valid atomic, and never unmapped.
        unsafe { self.0.as_ref() }
    }
}
