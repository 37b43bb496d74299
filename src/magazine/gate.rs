//! The gate in front of a thread's own magazines and counters. One word says whose they are, and whether
//! their owner is inside.
//!
//! How the gate keeps an owner and a reclaim apart is in [`magazine`](crate::magazine).

use crate::fatal::invariant;
use crate::sync::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
    UnsyncLoad, const_unless_modelled, light_fence,
};

/// A gate that only the owner of a place passes, once at a time.
pub(crate) struct Gate {
    /// The key while the owner is outside. One comparison tells whose gate it is, and that it is open.
    state: AtomicUsize,
    /// The key that opens the gate. It is constant from the first owner of the place on.
    key: AtomicUsize,
}

/// The state of a closed gate. It is no key, not even 0, the key of an allocator that has none yet.
const CLOSED: usize = 3;
/// The state of the gate of a thread that is gone but was inside: a `fork` left it behind, a signal handler
/// ended it, or it ended without its destructors.
const ABANDONED: usize = usize::MAX;

impl Gate {
    const_unless_modelled! {
        pub(crate) fn new(key: usize) -> Self {
            Self { state: AtomicUsize::new(key), key: AtomicUsize::new(key) }
        }
    }

    /// Opens the gate for a new owner, with this key.
    pub(crate) fn set(&self, key: usize) {
        self.key.store(key, Relaxed);
        self.state.store(key, Release);
    }

    pub(crate) fn key(&self) -> usize {
        self.key.load(Relaxed)
    }

    /// Whether the key is this one and the owner is outside. Only the thread that may be the owner asks.
    #[inline(always)]
    pub(crate) fn is_mine(&self, key: usize) -> bool {
        // SAFETY: only the owner changes a gate. That is this thread. If this is the gate of a stand-in, no
        // thread changes it.
        unsafe { self.state.load_unsync() == key }
    }

    /// Lets the owner in. Returns `false` if the key is another one, or if the caller interrupted the owner
    /// inside.
    #[inline(always)]
    pub(crate) fn enter(&self, key: usize) -> bool {
        let is_mine = self.is_mine(key);
        if is_mine {
            // A signal handler that came between the comparison and this store has left the gate again.
            self.state.store(CLOSED, Relaxed);
            light_fence();
        }
        is_mine
    }

    /// Lets the owner out. It entered with this key.
    #[inline(always)]
    pub(crate) fn leave(&self, key: usize) {
        // SAFETY: the owner is inside.
        invariant!(unsafe { self.state.load_unsync() } == CLOSED, "a thread that leaves a gate is inside");
        self.state.store(key, Release);
    }

    /// Whether the owner is outside. If so, all that it did inside is visible.
    pub(super) fn is_open(&self, key: usize) -> bool {
        self.state.load(Acquire) == key
    }

    /// Closes the gate of a thread that is gone or exiting, unless it is open. Returns whether it was open.
    /// If not, no thread passes the gate until it is set for a new owner.
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
