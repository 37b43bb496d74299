#![doc = include_str!("../README.md")]

mod config;
mod counters;
mod fatal;
mod global;
mod metadata;
mod os;
mod plan;
mod pool;
mod pools;
mod readiness;
mod recent;
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
