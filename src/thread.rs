//! A thread's own data: its place with magazines and counters, and the steps that it is in the middle of.

#![allow(
    clippy::missing_const_for_thread_local,
    reason = "all initializers are const, but clippy does not see it where std emulates thread-locals"
)]

#[cfg(not(framepool_loom))]
pub(crate) mod current;
#[cfg(not(framepool_loom))]
pub(crate) mod nested;
pub(crate) mod places;
#[cfg(not(framepool_loom))]
pub(crate) mod section;
#[cfg(not(framepool_loom))]
pub(crate) mod state;
