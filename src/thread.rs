//! A thread's own data: its place with magazines and counters, and the steps that it is in the middle of.

#[cfg(not(framepool_loom))]
pub(crate) mod current;
#[cfg(not(framepool_loom))]
pub(crate) mod nested;
pub(crate) mod places;
#[cfg(not(framepool_loom))]
pub(crate) mod section;
#[cfg(not(framepool_loom))]
pub(crate) mod state;
