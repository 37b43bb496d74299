//! A game against an allocator: actions of every kind, and a referee that knows the outcome of each.
//!
//! In `main.rs`, proptest makes up the actions as bytes. In `tests/fuzz`, a coverage-guided fuzzer does.

mod action;
mod counts;
mod fallback;
mod field;
mod live;
mod players;
mod referee;
mod table;

#[allow(unused_imports, reason = "the fuzzer has its games made of bytes")]
pub(crate) use action::{ACTION_BYTES, Action};
#[allow(unused_imports, reason = "as above")]
pub(crate) use field::{Field, Fields};
