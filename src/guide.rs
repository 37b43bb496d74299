//! How-to pages for the pools, one for each question. The code on every page is run as a test.
//!
//! - [`sizing`]: how large the slots are, how many there are, and which layouts may have them
//! - [`ready_memory`]: page faults, huge pages, locked memory, and giving memory back
//! - [`statistics`]: what the figures mean, and how to watch them in production
//! - [`running_processes`]: statistics, a table and a live view of a process from outside
//! - [`dhat`]: a heap profile of what the pools do not serve
//! - [`debugging_tools`]: valgrind, heaptrack, sanitizers, perf and others
//! - [`containers`]: limits, cgroups, and filters of system calls
//! - [`libraries`]: pools for one subsystem, for a library or a plug-in
//! - [`fallbacks`]: mimalloc or jemalloc for what the pools do not serve
//! - [`testing`]: tests that a program stays in its pools
//! - [`platforms`]: what works where, and how it is tested
//! - [`hand_kept_pool`]: coming from a pool of buffers that is kept by hand
//!
//! And two pages about the crate itself:
//!
//! - [`architecture`]: how it is built
//! - [`security`]: what holds when a program goes wrong, and how to report a hole

#[doc = include_str!("guide/sizing.md")]
pub mod sizing {}

#[doc = include_str!("guide/ready_memory.md")]
pub mod ready_memory {}

#[doc = include_str!("guide/statistics.md")]
pub mod statistics {}

#[doc = include_str!("guide/running_processes.md")]
pub mod running_processes {}

#[doc = include_str!("guide/dhat.md")]
pub mod dhat {}

#[doc = include_str!("guide/debugging_tools.md")]
pub mod debugging_tools {}

#[doc = include_str!("guide/containers.md")]
pub mod containers {}

#[doc = include_str!("guide/libraries.md")]
pub mod libraries {}

// The code on this page needs mimalloc, which is C. `tests/fallbacks` runs it.
#[cfg_attr(not(doctest), doc = include_str!("guide/fallbacks.md"))]
pub mod fallbacks {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/platforms.md")]
pub mod platforms {}

#[doc = include_str!("guide/hand_kept_pool.md")]
pub mod hand_kept_pool {}

#[doc = include_str!("../ARCHITECTURE.md")]
pub mod architecture {}

#[doc = include_str!("../SECURITY.md")]
pub mod security {}
