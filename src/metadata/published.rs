//! The pointer to an allocator's metadata, and the counters for the time before there is any.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `metadata` | start-up, once (Release); read Acquire, or Relaxed by a thread that saw that start-up is over | the metadata |
//! | `early`, `early_by_size`, `early_shared` | threads that count while there is no metadata (see [`counters`](crate::stats::counters)) | nothing |

use core::ptr::{self, NonNull};

use crate::metadata::Metadata;
use crate::stats::Stats;
use crate::stats::counters::{Counters, SharedCounters};
use crate::stats::refused::{RefusedBySize, RefusedShared};
use crate::sync::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};

/// The published metadata. Its pointer comes first, because every free reads it.
#[repr(C)]
pub(crate) struct MetadataCell {
    metadata: AtomicPtr<Metadata>,
    /// The counts of requests that came while there was no metadata.
    early: Counters,
    early_by_size: RefusedBySize,
    early_shared: RefusedShared,
}

impl MetadataCell {
    pub(crate) const fn new() -> Self {
        Self {
            metadata: AtomicPtr::new(ptr::null_mut()),
            early: Counters::new(),
            early_by_size: RefusedBySize::new(),
            early_shared: RefusedShared::new(),
        }
    }

    /// Publishes the metadata.
    ///
    /// # Safety
    ///
    /// The metadata stays where it is until this cell goes, or until it is [taken back](Self::take_back).
    /// Called at most once.
    pub(crate) unsafe fn publish(&self, metadata: NonNull<Metadata>) {
        self.metadata.store(metadata.as_ptr(), Release);
    }

    /// Takes the published metadata out of this cell, where it is not found from now on.
    pub(crate) fn take_back(&mut self) -> Option<NonNull<Metadata>> {
        NonNull::new(self.metadata.swap(ptr::null_mut(), Relaxed))
    }

    /// Returns the metadata; null before start-up, and if there was no memory for it.
    #[inline]
    pub(crate) fn pointer(&self) -> *mut Metadata {
        self.metadata.load(Acquire)
    }

    /// Returns the metadata; `None` before start-up, and if there was no memory for it.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Metadata> {
        // SAFETY: null, or published, and not taken back while this is borrowed.
        unsafe { self.pointer().as_ref() }
    }

    /// Returns the metadata, by a Relaxed load.
    ///
    /// # Safety
    ///
    /// This thread has read with Acquire something that start-up stored after it had published the metadata.
    #[inline(always)]
    pub(crate) unsafe fn get_published(&self) -> &Metadata {
        // SAFETY: by contract the metadata is published, as this thread can see. It is not taken back while
        // this is borrowed.
        unsafe { &*self.metadata.load(Relaxed) }
    }

    pub(crate) fn early(&self) -> &Counters {
        &self.early
    }

    /// Returns the counters by size that threads without a place use now.
    pub(super) fn by_size(&self) -> &RefusedBySize {
        self.shared().map_or(&self.early_by_size, |shared| &shared.by_size)
    }

    /// Returns what is counted of refused requests for all threads together.
    pub(crate) fn refused_shared(&self) -> &RefusedShared {
        self.shared().map_or(&self.early_shared, |shared| &shared.refused)
    }

    /// Adds the counts by size to `stats`. All other counts are there already.
    pub(crate) fn add_sizes_to(&self, stats: &mut Stats) {
        if let Some(metadata) = self.get() {
            metadata.add_sizes_to(stats);
        }
        self.early_by_size.add_to(&mut stats.refused);
        self.early_shared.add_to(stats);
    }

    /// Returns the counters that all threads without a place share. `None` before there is metadata: until
    /// then no slot is taken or given.
    #[inline]
    pub(super) fn shared(&self) -> Option<&SharedCounters> {
        self.get().map(|metadata| &metadata.shared)
    }
}
