//! The real code under loom, which tries every interleaving of two or three threads, and every value that a
//! load may return.
//!
//! `bash tests/loom.sh` runs these tests in one to two minutes on two cores. They are in [`lanes`], which
//! uses a small [`world`]. The tests of the slot set and of waiting threads alone are in `slot_set/model.rs`
//! and `waiters/model.rs`.
//!
//! Through `sync.rs`, these run as they are: sets, gates, modes, magazines, places, the reclaim, and all of
//! [`LanePool`](crate::magazine::lane_pool::LanePool). Only two things are restated: how a thread reaches its
//! own place, and how it exits.
//!
//! # Bounds
//!
//! - Two or three threads.
//! - One lane of 2 to 4 slots, or two lanes of one slot each; words of 2 slots, magazines of 3 slots, 3
//!   places.
//! - At most 2 to 4 [preemptions](crate::sync::loom_check::check) in one run, as each test says. Some tests
//!   of the set have no such bound.
//! - A load returns one of the last 7 stores.
//!
//! Within these bounds the search is complete.
//!
//! # What it does not show
//!
//! - **Loads of the summary.** loom's `SeqCst` loads are too weak for the summary's table, so
//!   `sync/modelled.rs` replaces them with stronger ones. A read-modify-write always returns the latest
//!   value, as on real machines. So the tests pass even if the first steps of that table are weaker than
//!   `SeqCst`.
//! - **Progress of a search.** A search of a set that waits for another thread passes, because in the model
//!   it yields to the other threads. So wrong orders of the permits can pass too.
//! - **The fence pair.** In loom, a `SeqCst` fence publishes all that came before earlier fences, which is
//!   more than C++ says. Both fences of the pair are such fences here. That a compiler fence is enough beside
//!   `membarrier` is the kernel's promise.
//! - **The orders of `Places::used`.** They can be wrong and pass: a thread that does not see a new gate
//!   treats it as closed.
//! - **`fork` and signal handlers.** Only one case is here: what the child of a `fork` finds of a magazine
//!   that is being emptied. The rest is in `tests/fork_anywhere`. Signal handlers are in
//!   `tests/life_cycle.rs` and `tests/every_instruction`.
//!
//! # That it finds the rest
//!
//! `tests/breakages.sh loom` takes one protection away after another, and checks that a test fails.

mod lanes;
mod world;
