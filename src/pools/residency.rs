//! Making slots resident before they are used, and reporting what is resident. Never on the allocation path.

use core::ptr::NonNull;

use super::Pools;
use crate::memory::reservation::Reserved;
use crate::memory::residency::Residency;
use crate::os;

impl Pools {
    /// Asks the system for everything that the configuration says, and makes every slot resident.
    pub(crate) fn prewarm(&self) -> Residency {
        let Some(reserved) = self.reserved() else { return Residency::default() };
        self.options.ask(reserved, self.memory_config());
        self.options.populate(reserved);
        if let Some(metadata) = self.metadata_cell.get() {
            // First uses of slots then cause no fault there. Not reported, because the report is about slots.
            // SAFETY: the metadata's own mapping, which outlives the reference.
            let _ = unsafe { os::populate(metadata.mapping.pages) };
        }
        self.options.report(reserved)
    }

    /// Reports what memory the slots have, without touching any.
    pub(crate) fn residency(&self) -> Residency {
        self.reserved().map_or_else(Residency::default, |reserved| self.options.report(reserved))
    }

    /// Reports what the system denied so far.
    pub(crate) fn denials(&self) -> Residency {
        self.options.denials()
    }

    /// The reservation, once there is one.
    pub(super) fn reserved(&self) -> Option<Reserved<'_>> {
        if self.serving.span() == 0 {
            return None;
        }
        let base = NonNull::new(self.serving.base())?;
        // SAFETY: `span` published the base of the reservation made for `plan`, which outlives the borrow.
        Some(unsafe { Reserved::new(base, self.plan()) })
    }
}
