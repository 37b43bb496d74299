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
mod class;
#[cfg(not(framepool_loom))]
mod config;
#[cfg(not(framepool_loom))]
mod constructor;
#[cfg(not(framepool_loom))]
mod counters;
#[cfg(not(framepool_loom))]
mod environment;
#[cfg(not(framepool_loom))]
mod fatal;
#[cfg(not(framepool_loom))]
mod fork;
#[cfg(not(framepool_loom))]
mod global;
#[cfg(not(framepool_loom))]
pub mod guide;
#[cfg(not(framepool_loom))]
mod home;
mod lane;
#[cfg(not(framepool_loom))]
mod lifecycle;
mod magazine;
#[cfg(not(framepool_loom))]
mod metadata;
#[cfg(framepool_loom)]
mod model;
#[cfg(not(framepool_loom))]
mod monitor;
#[cfg(not(framepool_loom))]
mod nested;
#[cfg(not(framepool_loom))]
mod orphans;
#[cfg(not(framepool_loom))]
mod os;
#[cfg(not(framepool_loom))]
mod peak;
mod places;
#[cfg(not(framepool_loom))]
mod plan;
#[cfg(not(framepool_loom))]
mod poison;
mod pool;
#[cfg(not(framepool_loom))]
mod pools;
#[cfg(not(framepool_loom))]
mod readiness;
mod reclaim;
#[cfg(not(framepool_loom))]
mod recording;
#[cfg(not(framepool_loom))]
mod reservation;
#[cfg(not(framepool_loom))]
mod residency;
#[cfg(not(framepool_loom))]
mod roll;
#[cfg(not(framepool_loom))]
mod section;
mod serving;
#[cfg(not(framepool_loom))]
mod slab;
#[cfg(not(framepool_loom))]
mod slot_map;
mod slot_set;
#[cfg(not(framepool_loom))]
mod slot_state;
#[cfg(not(framepool_loom))]
mod stats;
#[cfg(not(framepool_loom))]
mod sums;
mod sync;
#[cfg(not(framepool_loom))]
mod text;
#[cfg(not(framepool_loom))]
mod thread_record;
#[cfg(not(framepool_loom))]
mod trim;
mod tunables;
mod waiters;

#[cfg(not(framepool_loom))]
pub use advice::{Advice, ClassAdvice, Finding, LeftOut};
#[cfg(not(framepool_loom))]
pub use buffer_pool::{AllocError, BufferPool, PoolBuf, WaitError};
pub use class::Class;
#[cfg(not(framepool_loom))]
pub use config::{Config, ConfigError};
#[cfg(not(framepool_loom))]
pub use global::PoolAlloc;
#[cfg(not(framepool_loom))]
pub use monitor::{Monitor, MonitorBuilder, MonitorEvent, Watched};
#[cfg(not(framepool_loom))]
pub use os::Limit;
#[cfg(not(framepool_loom))]
pub use residency::{Request, Residency};
#[cfg(not(framepool_loom))]
pub use slot_state::SlotState;
#[cfg(not(framepool_loom))]
pub use stats::{Bypass, ClassStats, Named, Reservation, Stats};
