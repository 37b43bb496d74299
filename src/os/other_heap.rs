//! The heaps of C libraries other than glibc: they do not depend on large requests.

/// Whether [`consolidate_heap`] does something.
pub(crate) const CONSOLIDATES: bool = false;

/// The size in bytes from which requests make the heap consolidate: none does, for no block is larger.
pub(crate) const CONSOLIDATES_FROM: usize = isize::MAX as usize;

/// Does nothing.
#[inline]
pub(crate) fn consolidate_heap() {}
