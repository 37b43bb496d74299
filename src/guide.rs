//! How-to pages for the pools, one for each question. The code on every page is run as a test.
//!
//! - [`choosing_classes`]: how large the slots are, how many there are, and which layouts may have them
//! - [`ready_memory`]: page faults, huge pages, locked memory, and giving memory back
//! - [`reading_statistics`]: what the figures mean, and how to watch them in production
//! - [`containers`]: limits, cgroups, and filters of system calls
//! - [`fallbacks`]: mimalloc or jemalloc for what the pools do not serve
//! - [`testing`]: tests that a program stays in its pools
//! - [`values`]: pools for one subsystem

#[doc = include_str!("guide/choosing_classes.md")]
pub mod choosing_classes {}

#[doc = include_str!("guide/ready_memory.md")]
pub mod ready_memory {}

#[doc = include_str!("guide/reading_statistics.md")]
pub mod reading_statistics {}

#[doc = include_str!("guide/containers.md")]
pub mod containers {}

// The code on this page needs mimalloc, which is C. `tests/fallbacks` runs it.
#[cfg_attr(not(doctest), doc = include_str!("guide/fallbacks.md"))]
pub mod fallbacks {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/values.md")]
pub mod values {}
