#![doc = include_str!("../README.md")]

mod config;
mod counters;
mod fatal;
mod fork;
mod global;
mod lane;
mod magazine;
mod metadata;
mod os;
mod peak;
mod places;
mod plan;
mod pool;
mod pools;
mod readiness;
mod reclaim;
mod reservation;
mod residency;
mod slab;
mod slot_map;
mod slot_set;
mod stats;
mod sync;
mod text;
mod thread_record;
mod tunables;

pub use config::{Class, Config};
pub use global::PoolAlloc;
pub use residency::{Request, Residency};
pub use stats::{Bypass, ClassStats, Named, Reservation, Stats};
