//! A game against an allocator: actions of every kind, and a referee who knows what each has to come to.
//!
//! `main.rs` has proptest make up the actions, `tests/fuzz` a coverage-guided fuzzer; both are bytes to begin with.

mod action;
mod counts;
mod fallback;
mod field;
mod players;
mod referee;
mod table;

#[allow(unused_imports, reason = "the fuzzer has its games made of bytes")]
pub(crate) use action::{ACTION_BYTES, Action};
#[allow(unused_imports, reason = "as above")]
pub(crate) use field::{Field, Fields};
