//! The abilities of the pools on this system, by what `src/os.rs` says of its backend.

#![allow(dead_code, reason = "every test file compiles this module for itself and uses a part of it")]

const HAS_BACKEND: bool = cfg!(not(framepool_os = "none"));

/// Whether threads cache slots.
pub(crate) const HAS_MAGAZINES: bool = HAS_BACKEND && cfg!(any(target_os = "linux", windows));
/// Whether `trim` gives memory back.
pub(crate) const TRIMS: bool = HAS_BACKEND && cfg!(any(unix, windows));
/// Whether slots read as zeros after a trim.
pub(crate) const TRIM_CLEANS: bool = HAS_BACKEND && cfg!(unix);
/// Whether the system tells how much of the pools is resident.
pub(crate) const HAS_FIGURES: bool = HAS_BACKEND && cfg!(any(target_os = "linux", windows));
