//! Memory that is there before it is asked for, and what there is. Never on the allocation path.

use core::ptr::NonNull;

use super::Pools;
use crate::os;
use crate::readiness::{self, Reserved};
use crate::residency::Residency;
use crate::sync::Ordering::{Acquire, Relaxed};

impl Pools {
    /// Reserves the pools if nobody has yet, asks the system for all that the configuration says, and makes every slot resident.
    pub(crate) fn prewarm(&self, source: os::Source<'_>) -> Residency {
        self.prepare(source);
        let Some(reserved) = self.reserved() else { return Residency::default() };
        self.readiness.ask(reserved);
        self.readiness.populate(reserved);
        // SAFETY: null, or published by start-up for ever.
        if let Some(metadata) = unsafe { self.metadata.load(Acquire).as_ref() } {
            readiness::populate_metadata(metadata);
        }
        self.readiness.report(reserved)
    }

    /// What the slots have, without touching any.
    pub(crate) fn residency(&self) -> Residency {
        self.reserved().map_or_else(Residency::default, |reserved| self.readiness.report(reserved))
    }

    /// The reservation, once there is one.
    fn reserved(&self) -> Option<Reserved<'_>> {
        if self.span.load(Acquire) == 0 {
            return None;
        }
        let base = NonNull::new(self.base.load(Relaxed))?;
        // SAFETY: `span` published the base of the reservation made for `plan`, for ever.
        Some(unsafe { Reserved::new(base, &self.plan) })
    }
}
