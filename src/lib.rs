#![doc = include_str!("../README.md")]
#![cfg_attr(
    framepool_loom,
    allow(dead_code, reason = "the model checker compiles only what it runs, and not what uses that")
)]

#[cfg(not(framepool_loom))]
mod advice;
#[cfg(not(framepool_loom))]
mod assert_no_misses;
#[cfg(not(framepool_loom))]
mod buffer_pool;
#[cfg(not(framepool_loom))]
mod config;
mod fatal;
#[cfg(not(framepool_loom))]
pub mod guide;
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
pub use advice::{Advice, ClassAdvice, Finding, Unserved};
#[cfg(not(framepool_loom))]
pub use buffer_pool::{AllocError, BufferPool, PoolBuf, WaitError};
#[cfg(not(framepool_loom))]
pub use config::{Config, ConfigError};
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
pub use slots::class::Class;
#[cfg(not(framepool_loom))]
pub use stats::{Bypass, ClassStats, NamedStats, Reservation, Stats};
