//! The memory of the slots: reserved once, asked to be huge, resident or locked, and reported.

pub(crate) mod options;
pub(crate) mod reservation;
pub(crate) mod residency;
