//! How the pools come to serve, once, and how they are switched off and on.
//!
//! One thread reserves; whoever comes meanwhile goes to the fallback for that call, and nobody waits. Outcome and switch are
//! folded into `serving`, the only one of them that an allocation reads. A `fork` by another thread while the first allocation of all is at
//! this leaves a child that bypasses the pools for good.

use core::ptr::{self, NonNull};

use super::{FAILED, Pools, READY, STARTING, UNTOUCHED};
use crate::metadata::Metadata;
use crate::os;
use crate::readiness::Reserved;
use crate::reservation;
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::thread_record::{self, Tally};

impl Pools {
    /// Reserves the pools if nobody has yet, and gives this thread a place if it may have one.
    #[cold]
    pub(crate) fn prepare(&self, source: os::Source<'_>) {
        self.reserve(source);
        if !self.has_places {
            return;
        }
        // SAFETY: null, or published by start-up; with places, for ever.
        if let Some(metadata) = unsafe { self.metadata.load(Acquire).as_ref() } {
            thread_record::bind(metadata);
        }
    }

    /// Reserves the pools if nobody has yet.
    pub(crate) fn reserve(&self, source: os::Source<'_>) {
        if self.state.load(Relaxed) == UNTOUCHED {
            self.start(source);
        }
    }

    /// Where threads count that have no place.
    pub(crate) fn shared_tally(&self) -> Tally<'_> {
        Tally::Shared(&self.shared)
    }

    /// Where this thread counts; reserves the pools first and gives the thread a place, if need be.
    #[inline]
    pub(crate) fn tally(&self, source: os::Source<'_>) -> Tally<'_> {
        let own = self.own().or_else(|| {
            self.prepare(source);
            self.own()
        });
        own.map_or(self.shared_tally(), Tally::Own)
    }

    /// Lets the pools serve, or not; blocks that live in them stay there.
    pub(crate) fn set_enabled(&self, yes: bool) {
        self.enabled.store(yes, SeqCst);
        self.refresh_serving();
    }

    /// Reserves everything, unless somebody else is at it.
    #[cold]
    #[inline(never)]
    fn start(&self, source: os::Source<'_>) {
        if self.state.compare_exchange(UNTOUCHED, STARTING, Acquire, Relaxed).is_err() {
            return;
        }
        os::keeping_errno(|| self.start_once(source));
    }

    fn start_once(&self, source: os::Source<'_>) {
        let metadata = Metadata::new(&self.plan, self.has_places, source);
        let reservation = metadata.and_then(|_| reservation::reserve(&self.plan, source));
        if let Some(mut metadata) = metadata {
            if let Some(reservation) = reservation {
                // SAFETY: just made, and not shared yet.
                unsafe { metadata.as_mut() }.set_reservation(reservation, &self.plan);
            }
            // Kept without slots too: threads still count their bypasses there.
            self.metadata.store(metadata.as_ptr(), Release);
            if self.has_places {
                // SAFETY: never unmapped, and from here on only read.
                unsafe { metadata.as_ref() }.settle_after_fork();
            }
        }
        let base = reservation.map(os::Mapping::base);
        // SAFETY: just reserved; unmapped by `unmap` only.
        let reserved = base.map(|base| unsafe { Reserved::new(base, &self.plan) });
        if let Some(reserved) = reserved {
            self.readiness.ask(reserved);
        }
        if let Some(base) = base {
            self.base.store(base.as_ptr(), Relaxed);
            self.span.store(self.plan.span, Release);
        }
        self.state.store(if base.is_some() { READY } else { FAILED }, SeqCst);
        self.refresh_serving();
        // Last, because it takes long: the others need not wait for it, nor bypass the pools meanwhile.
        if let Some(reserved) = reserved {
            self.readiness.prefault(reserved);
        }
    }

    /// Gives slots and metadata back to the system.
    ///
    /// # Safety
    ///
    /// They are [those of a value](Pools::of_a_value), reserved out of this `source`, and nobody uses a slot of them, or calls anything here,
    /// from now on.
    pub(crate) unsafe fn unmap(&mut self, source: os::Source<'_>) {
        debug_assert!(!self.has_places, "threads may come back to their places at any time");
        let metadata = NonNull::new(self.metadata.swap(ptr::null_mut(), Relaxed));
        self.span.store(0, Relaxed);
        // SAFETY: by contract nobody else is here, so what start-up published is this caller's alone. The copies of the two mappings are
        // taken out of one before it goes.
        unsafe {
            let Some(metadata) = metadata else { return };
            let Metadata { reservation, mapping, .. } = *metadata.as_ref();
            if let Some(reservation) = reservation {
                os::unmap(reservation, source);
            }
            os::unmap(mapping, source);
        }
    }

    /// Start-up and any number of switches may be here at once. Whoever stores last has looked last or looks again, so the
    /// outcome follows `state` and `enabled`. Ends once nobody changes those any more.
    pub(super) fn refresh_serving(&self) {
        let wanted = || {
            let is_serving = self.state.load(SeqCst) == READY && self.enabled.load(SeqCst);
            if is_serving { self.metadata.load(Acquire) } else { ptr::null_mut() }
        };
        loop {
            let now = wanted();
            self.serving.store(now, SeqCst);
            if wanted() == now {
                return;
            }
        }
    }
}
