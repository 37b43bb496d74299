//! The memory of the slots: its reservation, the requests to the system about it, and a report on it.

pub(crate) mod options;
pub(crate) mod reservation;
pub(crate) mod residency;
