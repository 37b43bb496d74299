//! A global allocator for programs that make and drop large buffers many times a second: video frames, audio packets,
//! network payloads.
//!
//! Four pools are reserved up front, one for each [`Class`] of slot sizes. A layout that fits a class is served from its
//! pool. Every other layout goes to the fallback, which is [`System`](std::alloc::System) by default. An allocation and
//! its free together take 14 to 17 ns on one thread of a virtual Intel Xeon, whatever the size (`benches/README.md`), and
//! the pages of a slot stay mapped.
//!
//! ```
//! use framepool::{Class, PoolAlloc};
//!
//! #[global_allocator]
//! static ALLOC: PoolAlloc = PoolAlloc::new();
//!
//! let frame = vec![0_u8; 1280 * 720 * 3 / 2];
//! assert!(ALLOC.owns(frame.as_ptr()));
//! assert_eq!(ALLOC.stats().class(Class::XLarge).in_use, 1);
//! ```
//!
//! # Where to start
//!
//! | to | see |
//! |---|---|
//! | serve a whole program from the pools | [`PoolAlloc`] |
//! | serve one subsystem, with buffers of its own | [`BufferPool`], [`PoolBuf`] |
//! | choose slot sizes and numbers | [`Config`], [`guide::sizing`] |
//! | find a table for a program that exists | [`Config::record`], [`Stats::advice`] |
//! | read what the pools did | [`Stats`], [`guide::statistics`] |
//! | watch an allocator in production | [`Monitor`] |
//! | look into a process that runs | [`guide::running_processes`], [`inspect`] |
//! | have the memory ready, huge or locked | [`PoolAlloc::prewarm`], [`guide::ready_memory`] |
//! | test that a loop stays in the pools | [`assert_pooled!`], [`assert_no_misses!`] |
//! | use another allocator below the pools | [`PoolAlloc::with_fallback`], [`guide::fallbacks`] |
//! | see what the pools do not serve | [`guide::dhat`] |
//! | run it under valgrind, heaptrack or a sanitizer | [`guide::debugging_tools`] |
//! | replace a pool that is kept by hand | [`guide::hand_kept_pool`] |
//! | know how it is built, and what it guarantees | [`guide::architecture`], [`guide::security`] |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `allocator-api2` | allocator-api2's `Allocator` for a [`BufferPool`], so collections live in its slots |
//! | `bytes` | `bytes::Bytes` from a [`PoolBuf`], without a copy |
//! | `log` | a [`Monitor`] logs the statistics and its events |
//! | `metrics` | a [`Monitor`] sets gauges and counters |
//! | `serde` | `Serialize` for statistics, residency, advice, events and all names |
//! | `full` | all of these |
//! | `inspect` | the program `framepool`: `cargo install framepool --features inspect` |
//! | `nightly` | std's own `Allocator` for a [`BufferPool`], with a nightly compiler |
//!
//! None is on by default. Turn `nightly` on wherever another crate of the program turns on allocator-api2's feature
//! of that name, because that changes the trait.

#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(test, framepool_loom, unix))))]
#![cfg_attr(feature = "nightly", feature(allocator_api))]
#![cfg_attr(
    framepool_loom,
    allow(dead_code, reason = "the model checker compiles only what it runs, and not what uses that")
)]

#[cfg(all(framepool_loom, not(test)))]
compile_error!("`framepool_loom` is for the unit tests of this crate alone: run tests/loom.sh");

#[cfg(not(framepool_loom))]
mod advice;
#[cfg(not(framepool_loom))]
#[macro_use]
mod assert_no_misses;
#[cfg(not(framepool_loom))]
#[macro_use]
mod assert_pooled;
#[cfg(not(framepool_loom))]
mod buffer_pool;
#[cfg(not(framepool_loom))]
mod config;
mod fatal;
#[cfg(not(framepool_loom))]
pub mod guide;
#[cfg(not(framepool_loom))]
pub mod inspect;
mod layout;
mod lifecycle;
#[cfg(framepool_loom)]
mod loom_tests;
mod magazine;
#[cfg(not(framepool_loom))]
mod memory;
#[cfg(not(framepool_loom))]
mod metadata;
#[cfg(not(framepool_loom))]
mod monitor;
#[cfg(not(framepool_loom))]
mod os;
#[cfg(not(framepool_loom))]
mod pool_alloc;
#[cfg(not(framepool_loom))]
mod pools;
mod slots;
#[cfg(not(framepool_loom))]
mod stats;
mod sync;
#[cfg(not(framepool_loom))]
mod text;
mod thread;
mod tunables;

#[cfg(not(framepool_loom))]
pub use advice::{Advice, ClassAdvice, Demand, Finding, Unserved, UnservedReason};
#[cfg(not(framepool_loom))]
pub use buffer_pool::{AllocError, BufferPool, PoolBuf, WaitError};
#[cfg(not(framepool_loom))]
pub use config::{Config, ConfigError, ParseConfigError};
#[cfg(not(framepool_loom))]
pub use memory::residency::{MemoryOption, Residency};
#[cfg(not(framepool_loom))]
pub use metadata::slot_state::SlotState;
#[cfg(not(framepool_loom))]
pub use monitor::{Monitor, MonitorBuilder, MonitorEvent, Watched};
#[cfg(not(framepool_loom))]
pub use os::Limit;
#[cfg(not(framepool_loom))]
pub use pool_alloc::PoolAlloc;
pub use slots::class::{Class, ParseClassError};
#[cfg(not(framepool_loom))]
pub use stats::recording::RecordingCost;
#[cfg(not(framepool_loom))]
pub use stats::{Bypass, ClassStats, NamedStats, Refusal, RefusedSizes, Reservation, Stats, TooLarge};

/// Runs the code of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
