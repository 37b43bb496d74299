//! The gate before a thread's own magazines and counters: whose they are, and whether their owner is inside, in one word.
//!
//! How it keeps an owner and a reclaim apart is in [`magazine`](crate::magazine).

use crate::fatal::invariant;
use crate::sync::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
    UnsyncLoad, const_unless_modelled, light_fence,
};

/// What keeps a thread's magazines and counters its own.
pub(crate) struct Gate {
    /// The key while the owner is outside, so that one comparison tells whose gate it is and that it is open.
    state: AtomicUsize,
    /// What opens it; constant once anybody has it.
    key: AtomicUsize,
}

/// In a closed gate. No key, not even of an allocator that has none yet: that is 0.
const CLOSED: usize = 3;
/// In the gate of a thread that a `fork` left behind inside.
const ABANDONED: usize = usize::MAX;

impl Gate {
    const_unless_modelled! {
        pub(crate) fn new(key: usize) -> Self {
            Self { state: AtomicUsize::new(key), key: AtomicUsize::new(key) }
        }
    }

    /// Hands the place to an owner.
    pub(crate) fn set(&self, key: usize) {
        self.key.store(key, Relaxed);
        self.state.store(key, Release);
    }

    pub(crate) fn key(&self) -> usize {
        self.key.load(Relaxed)
    }

    /// Whether the key is this one and the owner outside, asked by the thread that may be the owner.
    #[inline(always)]
    pub(crate) fn is_mine(&self, key: usize) -> bool {
        // SAFETY: only its owner changes a gate: this thread, or, if it is a stand-in, nobody.
        unsafe { self.state.load_unsync() == key }
    }

    /// Lets the owner in; `false` if the key is another's, or if this interrupted the owner inside.
    #[inline(always)]
    pub(crate) fn enter(&self, key: usize) -> bool {
        let is_mine = self.is_mine(key);
        if is_mine {
            // A signal handler that came since has gone again.
            self.state.store(CLOSED, Relaxed);
            light_fence();
        }
        is_mine
    }

    /// Lets the owner out, who came in with this key.
    #[inline(always)]
    pub(crate) fn leave(&self, key: usize) {
        // SAFETY: the owner is inside.
        invariant!(unsafe { self.state.load_unsync() } == CLOSED, "who leaves a gate is inside");
        self.state.store(key, Release);
    }

    /// Whether the owner is outside; if so, all that it did inside is visible.
    pub(super) fn is_open(&self, key: usize) -> bool {
        self.state.load(Acquire) == key
    }

    /// For the gate of a thread that no longer exists: `true` if it was open, otherwise nobody will ever pass it.
    pub(crate) fn abandon_unless_open(&self, key: usize) -> bool {
        let is_open = self.is_open(key);
        if !is_open {
            self.state.store(ABANDONED, Relaxed);
        }
        is_open
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.state.load(Relaxed) == ABANDONED
    }
}
