//! The units of pooled memory: size classes, their slabs and slots, and which slots are free.
//!
//! | file | what it knows |
//! |---|---|
//! | `class.rs` | the four size classes |
//! | `lane.rs` | the two lanes of a class: open and held back |
//! | `slab.rs` | index of a slot <-> offset in the reservation |
//! | `slot_set.rs` | which slots of a lane are free, by index; lock-free |
//! | `slot_map.rs` | a byte for each slot, by address: its lane, live or free, dirty or never touched |
//! | `waiters.rs` | the threads that wait for a slot, first in, first out |

pub(crate) mod class;
pub(crate) mod lane;
#[cfg(not(framepool_loom))]
pub(crate) mod slab;
#[cfg(not(framepool_loom))]
pub(crate) mod slot_map;
pub(crate) mod slot_set;
pub(crate) mod waiters;
