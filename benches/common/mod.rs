//! What all bench targets share: who is measured, what is measured, and what `System` means.

pub(crate) mod at_once;
pub(crate) mod contestants;
pub(crate) mod system;
pub(crate) mod workloads;
