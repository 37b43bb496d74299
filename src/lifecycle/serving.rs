//! The state that says whether the pools serve: how far start-up is, and whether the pools are switched on.
//!
//! One thread starts the pools. Requests of other threads go to the fallback meanwhile: no thread waits.
//! `pointer` combines the outcome and the switch, so the fast path of an allocation reads one field. A free
//! reads `span` and `base`.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `pointer` | start-up, switches, slow paths that find it out of date (SeqCst); read by takes (Acquire) | all that start-up did |
//! | `span` | start-up, once (Release); read by frees (Acquire) | all that start-up did |
//! | `base` | start-up, once (Relaxed) | nothing: published by `span` and `pointer` |
//! | `enabled` | switches (SeqCst) | nothing |
//! | `state` | start-up: one CAS to `STARTING` (Acquire), then `READY` or `FAILED` (SeqCst) | nothing: it orders start-ups and switches |
//!
//! Each SeqCst write is an exchange, not a store. On most machines they are the same, and the model checker
//! orders only exchanges.

use core::ptr;

use crate::fatal::invariant;
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    const_unless_modelled,
};

/// The progress of start-up.
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

/// The state of serving out of a `T`. The fields that every call reads come first.
#[repr(C)]
pub(crate) struct Serving<T> {
    /// Null before start-up and while the pools are switched off. No thread has a place at null, so one
    /// comparison checks both.
    pointer: AtomicPtr<T>,
    /// The number of bytes from `base` on that may be a slot's. 0 before start-up, so that no address looks
    /// owned.
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

    /// Returns what to serve from; null if the pools do not serve now.
    #[inline(always)]
    pub(crate) fn pointer(&self) -> *mut T {
        self.pointer.load(Acquire)
    }

    /// Returns how many bytes from [`base`](Self::base) on may be a slot's.
    #[inline(always)]
    pub(crate) fn span(&self) -> usize {
        self.span.load(Acquire)
    }

    /// Returns where the slots start; null if there are none. The caller must have read `span` or `pointer`
    /// before.
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

    /// Begins start-up, and returns whether the caller has to do it. Once start-up has begun, this costs a
    /// load.
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        self.state.load(Relaxed) == UNTOUCHED
            && self.state.compare_exchange(UNTOUCHED, STARTING, Acquire, Relaxed).is_ok()
    }

    /// Ends start-up. From now on blocks in the `span` bytes from `base` on may be freed. New ones come from
    /// `from`, unless the pools are switched off. If `base` is null, start-up has failed.
    pub(crate) fn finish(&self, base: *mut u8, span: usize, from: *mut T) {
        invariant!(self.state() == State::Starting, "start-up ends once, after it has begun");
        if !base.is_null() {
            self.base.store(base, Relaxed);
            self.span.store(span, Release);
        }
        self.state.swap(if base.is_null() { FAILED } else { READY }, SeqCst);
        self.republish(from);
    }

    /// Switches the pools on or off. Calls `from` only if start-up has succeeded.
    pub(crate) fn set_enabled(&self, yes: bool, from: impl Fn() -> *mut T) {
        self.enabled.swap(yes, SeqCst);
        if self.state.load(SeqCst) == READY {
            self.republish(from());
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(SeqCst)
    }

    /// Brings `pointer` into line with `state` and `enabled`.
    ///
    /// Start-up and any number of switches may be here at once. The thread that stores last has either looked
    /// last or looks again, so the outcome follows `state` and `enabled`. The loop ends once no thread
    /// changes those any more.
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

    /// Ends serving: from now on no address is owned, and no request is served.
    pub(crate) fn close(&mut self) {
        self.pointer.store(ptr::null_mut(), Relaxed);
        self.span.store(0, Relaxed);
    }
}

#[cfg(framepool_loom)]
mod model;
