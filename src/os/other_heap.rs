//! The heaps of C libraries other than glibc, which need no help to stay tidy.

/// Whether [`consolidate_heap`] does something.
pub(crate) const CONSOLIDATES: bool = false;

/// Does nothing.
#[inline]
pub(crate) fn consolidate_heap() {}

/// Does nothing.
#[cfg(unix)]
pub(crate) fn read_tunables() {}
