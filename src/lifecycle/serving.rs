//! Whether the pools serve: how they come to, once, and how they are switched off and on.
//!
//! One thread starts; whoever comes meanwhile goes to the fallback for that call, and nobody waits. Outcome and switch are folded into
//! `pointer`, the only one of them that an allocation reads, and frees read `span`.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `pointer` | start-up, switches (SeqCst), read Acquire by takes | all that start-up did |
//! | `span` | start-up, once (Release), read Acquire by frees | the same |
//! | `base` | start-up, once (Relaxed) | nothing: published by `span` and `pointer` |
//! | `enabled` | switches (SeqCst) | nothing |
//! | `state` | start-up: one CAS to `STARTING` (Acquire), then `READY` or `FAILED` (SeqCst) | nothing: it orders start-ups and switches |
//!
//! What is SeqCst is an exchange, not a store: the same on most machines, and all that the model checker orders.

use core::ptr;

use crate::fatal::invariant;
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    const_unless_modelled,
};

/// How far start-up is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Untouched,
    Starting,
    Ready,
    Failed,
}

const UNTOUCHED: u8 = 0;
const STARTING: u8 = 1;
const READY: u8 = 2;
const FAILED: u8 = 3;

/// What is served from is a `T`. What every call reads comes first.
#[repr(C)]
pub(crate) struct Serving<T> {
    /// Null before start-up and while switched off, so that no thread has a place there: one comparison asks both.
    pointer: AtomicPtr<T>,
    /// Bytes from `base` on that may be a slot's; 0 before start-up, so that nothing looks owned.
    span: AtomicUsize,
    base: AtomicPtr<u8>,
    enabled: AtomicBool,
    state: AtomicU8,
}

impl<T> Serving<T> {
    const_unless_modelled! {
        pub(crate) fn new() -> Self {
            Self {
                pointer: AtomicPtr::new(ptr::null_mut()),
                span: AtomicUsize::new(0),
                base: AtomicPtr::new(ptr::null_mut()),
                enabled: AtomicBool::new(true),
                state: AtomicU8::new(UNTOUCHED),
            }
        }
    }

    /// Where to serve from; null for "not now".
    #[inline(always)]
    pub(crate) fn pointer(&self) -> *mut T {
        self.pointer.load(Acquire)
    }

    /// How many bytes from [`base`](Self::base) on may be a slot's.
    #[inline(always)]
    pub(crate) fn span(&self) -> usize {
        self.span.load(Acquire)
    }

    /// For who has read `span` or `pointer` before; null if there are no slots.
    #[inline(always)]
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.load(Relaxed)
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(SeqCst) {
            UNTOUCHED => State::Untouched,
            STARTING => State::Starting,
            READY => State::Ready,
            _ => State::Failed,
        }
    }

    /// Whether start-up is the caller's to do. Everybody else's question costs a load.
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        self.state.load(Relaxed) == UNTOUCHED
            && self.state.compare_exchange(UNTOUCHED, STARTING, Acquire, Relaxed).is_ok()
    }

    /// Start-up is done: blocks in the `span` bytes from `base` on may be freed from now on, and new ones come from `from` unless
    /// that is switched off. Without a base, it has failed.
    pub(crate) fn finish(&self, base: *mut u8, span: usize, from: *mut T) {
        invariant!(self.state() == State::Starting, "start-up ends once, after it has begun");
        if !base.is_null() {
            self.base.store(base, Relaxed);
            self.span.store(span, Release);
        }
        self.state.swap(if base.is_null() { FAILED } else { READY }, SeqCst);
        self.republish(from);
    }

    /// Lets the pools serve, or not. `from` is asked for when start-up is over.
    pub(crate) fn set_enabled(&self, yes: bool, from: impl Fn() -> *mut T) {
        self.enabled.swap(yes, SeqCst);
        if self.state.load(SeqCst) == READY {
            self.republish(from());
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(SeqCst)
    }

    /// Start-up and any number of switches may be here at once. Whoever stores last has looked last or looks again, so the
    /// outcome follows `state` and `enabled`. Ends once nobody changes those any more.
    pub(crate) fn republish(&self, from: *mut T) {
        let wanted = || {
            let is_serving = self.state.load(SeqCst) == READY && self.enabled.load(SeqCst);
            if is_serving { from } else { ptr::null_mut() }
        };
        loop {
            let now = wanted();
            self.pointer.swap(now, SeqCst);
            if wanted() == now {
                return;
            }
        }
    }

    /// Nothing is owned or served any more.
    pub(crate) fn close(&mut self) {
        self.pointer.store(ptr::null_mut(), Relaxed);
        self.span.store(0, Relaxed);
    }
}

#[cfg(framepool_loom)]
mod model;
