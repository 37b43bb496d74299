#![doc = include_str!("../README.md")]
#![cfg_attr(
    all(test, feature = "loom"),
    allow(dead_code, reason = "the model checker compiles only what it runs, and not what uses that")
)]

#[cfg(not(all(test, feature = "loom")))]
mod advice;
#[cfg(not(all(test, feature = "loom")))]
mod assert_no_misses;
#[cfg(not(all(test, feature = "loom")))]
mod buffer_pool;
mod config;
#[cfg(not(all(test, feature = "loom")))]
mod constructor;
#[cfg(not(all(test, feature = "loom")))]
mod counters;
#[cfg(not(all(test, feature = "loom")))]
mod environment;
#[cfg(not(all(test, feature = "loom")))]
mod fatal;
#[cfg(not(all(test, feature = "loom")))]
mod fork;
#[cfg(not(all(test, feature = "loom")))]
mod global;
#[cfg(not(all(test, feature = "loom")))]
pub mod guide;
#[cfg(not(all(test, feature = "loom")))]
mod home;
mod lane;
mod magazine;
#[cfg(not(all(test, feature = "loom")))]
mod metadata;
#[cfg(all(test, feature = "loom"))]
mod model;
#[cfg(not(all(test, feature = "loom")))]
mod monitor;
#[cfg(not(all(test, feature = "loom")))]
mod nested;
#[cfg(not(all(test, feature = "loom")))]
mod orphans;
#[cfg(not(all(test, feature = "loom")))]
mod os;
#[cfg(not(all(test, feature = "loom")))]
mod peak;
mod places;
#[cfg(not(all(test, feature = "loom")))]
mod plan;
#[cfg(not(all(test, feature = "loom")))]
mod poison;
mod pool;
#[cfg(not(all(test, feature = "loom")))]
mod pools;
#[cfg(not(all(test, feature = "loom")))]
mod readiness;
mod reclaim;
#[cfg(not(all(test, feature = "loom")))]
mod recording;
#[cfg(not(all(test, feature = "loom")))]
mod reservation;
#[cfg(not(all(test, feature = "loom")))]
mod residency;
#[cfg(not(all(test, feature = "loom")))]
mod roll;
#[cfg(not(all(test, feature = "loom")))]
mod section;
mod serving;
#[cfg(not(all(test, feature = "loom")))]
mod slab;
#[cfg(not(all(test, feature = "loom")))]
mod slot_map;
mod slot_set;
#[cfg(not(all(test, feature = "loom")))]
mod slot_state;
#[cfg(not(all(test, feature = "loom")))]
mod stats;
#[cfg(not(all(test, feature = "loom")))]
mod sums;
mod sync;
mod text;
#[cfg(not(all(test, feature = "loom")))]
mod thread_record;
#[cfg(not(all(test, feature = "loom")))]
mod trim;
mod tunables;
mod waiters;

#[cfg(not(all(test, feature = "loom")))]
pub use advice::{Advice, ClassAdvice, Finding, LeftOut};
#[cfg(not(all(test, feature = "loom")))]
pub use buffer_pool::{AllocError, BufferPool, PoolBuf, WaitError};
pub use config::{Class, Config, ConfigError};
#[cfg(not(all(test, feature = "loom")))]
pub use global::PoolAlloc;
#[cfg(not(all(test, feature = "loom")))]
pub use monitor::{Monitor, MonitorBuilder, MonitorEvent, Watched};
#[cfg(not(all(test, feature = "loom")))]
pub use residency::{Request, Residency};
#[cfg(not(all(test, feature = "loom")))]
pub use slot_state::SlotState;
#[cfg(not(all(test, feature = "loom")))]
pub use stats::{Bypass, ClassStats, Limit, Named, Reservation, Stats};
