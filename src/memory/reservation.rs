//! The address space of all slots: one mapping, inaccessible but for the four slabs in it.
//!
//! What is not a slab stays `PROT_NONE`: a guard before, between and after the slabs, so that whoever runs off the end of one
//! faults there (P8). Nothing is touched: an untouched slot costs no memory. Four or five system calls in all.

use crate::config::plan::Plan;
use crate::os;
use crate::os::Limit;

/// Reserves the slots of `plan`; `None`, and nothing kept, if the system refuses any part of it.
pub(crate) fn reserve(plan: &Plan, source: os::Source<'_>) -> Option<os::Mapping> {
    let slabs = plan.classes.iter().map(|class| class.slab.offset..class.slab.offset + class.slab.bytes());
    os::reserve(plan.span, plan.align, slabs, source)
}

/// The limit of the process that was the cause; to be called right after [`reserve`] was refused.
pub(crate) fn limit_behind(plan: &Plan) -> Option<Limit> {
    let writable = plan.classes.iter().map(|class| class.slab.bytes()).sum();
    os::limit_behind(plan.span + plan.align, writable)
}
