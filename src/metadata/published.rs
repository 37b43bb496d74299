//! Where an allocator's metadata is, once there is any, and what is counted until then.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `metadata` | start-up, once (Release), read Acquire, or Relaxed by who saw that start-up is over | the metadata |
//! | `early` | whoever has no place then (see [`counters`](crate::stats::counters)) | nothing |

use core::ptr::{self, NonNull};

use crate::metadata::Metadata;
use crate::stats::counters::{Counters, SharedCounters};
use crate::sync::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};

/// The pointer first: every free reads it.
#[repr(C)]
pub(crate) struct MetadataCell {
    metadata: AtomicPtr<Metadata>,
    /// Of requests that came when there was no metadata.
    early: Counters,
}

impl MetadataCell {
    pub(crate) const fn new() -> Self {
        Self { metadata: AtomicPtr::new(ptr::null_mut()), early: Counters::new() }
    }

    /// # Safety
    ///
    /// It stays where it is until this goes, or until it is [taken back](Self::take_back); called once at most.
    pub(crate) unsafe fn publish(&self, metadata: NonNull<Metadata>) {
        self.metadata.store(metadata.as_ptr(), Release);
    }

    /// What was published, which nobody finds here any more.
    pub(crate) fn take_back(&mut self) -> Option<NonNull<Metadata>> {
        NonNull::new(self.metadata.swap(ptr::null_mut(), Relaxed))
    }

    /// Null before start-up, and if there was no memory for it.
    #[inline]
    pub(crate) fn pointer(&self) -> *mut Metadata {
        self.metadata.load(Acquire)
    }

    /// `None` before start-up, and if there was no memory for it.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Metadata> {
        // SAFETY: null, or published, and not taken back while this is borrowed.
        unsafe { self.pointer().as_ref() }
    }

    /// # Safety
    ///
    /// Something that start-up stored after it had published the metadata was read with Acquire.
    #[inline(always)]
    pub(crate) unsafe fn get_published(&self) -> &Metadata {
        // SAFETY: by contract published, as this thread can see; the rest as above.
        unsafe { &*self.metadata.load(Relaxed) }
    }

    pub(crate) fn early(&self) -> &Counters {
        &self.early
    }

    /// The lanes and the rest that are everybody's. Nothing is taken from a lane or given to one before there are any.
    #[inline]
    pub(super) fn shared(&self) -> Option<&SharedCounters> {
        self.get().map(|metadata| &metadata.shared)
    }
}
