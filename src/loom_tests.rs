//! The real code under loom, which tries every interleaving of a few threads, and every value that a load may see.
//!
//! `bash tests/loom.sh`; a minute or two on two cores. What is checked is in [`lanes`], in a
//! small [`world`], and for the set alone in `slot_set/model.rs`. Through `sync.rs` run as they are: sets, gates,
//! modes, magazines, places, the reclaim, and all of [`LanePool`](crate::magazine::lane_pool::LanePool). Restated are only a thread's way to its own place, and its end.
//!
//! **Bounds.** Two or three threads; one lane of 2 to 4 slots or two of one; words of 2 slots, magazines of 3, 3 places. loom
//! [switches](crate::sync::loom_check::check) threads against their will at most 2 to 4 times in one run, as each test says; some tests of the set have no such
//! bound. Within these it is complete, but that a load sees at most 7 stores back.
//!
//! **What it does not show.** Of `SeqCst` loads `sync.rs` makes stronger ones, because loom's are too weak for the summary's table. A
//! read-modify-write always sees the latest value (as it does on real machines), so in that table the `SeqCst` of its first steps can go
//! unnoticed. A search of a set that waited for another thread would go unnoticed, because it lets the others go on; so the orders of
//! permits can, too. A `SeqCst` fence shows all that came before earlier ones, which is more than C++ says, but both fences of the
//! pair are nothing else here: that a compiler fence is enough against `membarrier` is the kernel's promise. The orders of
//! `Places::used` can go unnoticed: who misses a new gate takes it for closed. Of a `fork` there is here only what a child finds of a magazine
//! that is being emptied; the rest is in `tests/fork_anywhere`, and signal handlers are in `tests/life_cycle.rs` and
//! `tests/every_instruction`.
//!
//! **That it finds the rest** is shown by `tests/breakages.sh loom`, which takes one protection away after another.

mod lanes;
mod world;
