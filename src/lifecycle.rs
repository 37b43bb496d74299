//! Start and end: of the library, the pools, a thread's place, and the process.

#[cfg(not(framepool_loom))]
pub(crate) mod constructor;
#[cfg(not(framepool_loom))]
pub(crate) mod orphans;
#[cfg(not(framepool_loom))]
pub(crate) mod registry;
pub(crate) mod serving;
#[cfg(not(framepool_loom))]
pub(crate) mod thread;
