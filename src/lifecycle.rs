//! What begins and ends: a thread's place.

pub(crate) mod thread;
