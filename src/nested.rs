//! Which allocators this thread is inside the fallback of: what it asks them for meanwhile goes to the fallback too, uncounted.
//!
//! A profiler as the fallback allocates for itself inside a call (dhat: maps and backtraces), through the global allocator, so through the
//! one that made the call. From the pools, that would be counted as the program's own, and be served by what is being measured. The same goes
//! for all of [`unpooled`](crate::PoolAlloc::unpooled).
//!
//! The allocators that a thread is inside are a list on its stack, innermost first, found by a `const` thread-local without `Drop`. While
//! it is not empty, the thread has no [record](crate::thread_record), so hits check nothing: they fail to enter, and the long way asks here.
//! Asking costs one load where nobody is nested, and one for each allocator that is.

use core::ptr;

use crate::sync::{AtomicPtr, Ordering::Relaxed, light_fence};
use crate::thread_record::{self, ThreadRecord};

/// One allocator that this thread is inside the fallback of.
struct Nesting {
    /// Its address.
    allocator: *const (),
    outer: *mut Nesting,
    /// The thread's record as it was before. Relaxed: only this thread has it.
    record: AtomicPtr<ThreadRecord>,
}

thread_local! {
    /// Atomic because signal handlers on the same thread write it too; Relaxed, because nobody else does.
    static INNERMOST: AtomicPtr<Nesting> = const { AtomicPtr::new(ptr::null_mut()) };
}

fn innermost() -> *mut Nesting {
    INNERMOST.with(|innermost| innermost.load(Relaxed))
}

/// Runs `f` with this thread inside the fallback of the allocator at this address; not any more afterwards, also if `f` unwinds.
///
/// The note comes before the record goes, and goes after the record is back. So a signal handler in between finds the record, or
/// the note that has it.
pub(crate) fn within<R>(allocator: *const (), f: impl FnOnce() -> R) -> R {
    struct Undo<'a>(&'a Nesting);

    impl Drop for Undo<'_> {
        fn drop(&mut self) {
            thread_record::show(self.0.record.load(Relaxed));
            light_fence();
            INNERMOST.with(|innermost| innermost.store(self.0.outer, Relaxed));
        }
    }

    let nesting = Nesting { allocator, outer: innermost(), record: AtomicPtr::new(ptr::null_mut()) };
    thread_record::hide(|record| {
        nesting.record.store(record, Relaxed);
        light_fence();
        INNERMOST.with(|innermost| innermost.store(ptr::from_ref(&nesting).cast_mut(), Relaxed));
        light_fence();
    });
    let _undo = Undo(&nesting);
    f()
}

/// Whether this thread is inside the fallback of the allocator at this address.
pub(crate) fn is_within(allocator: *const ()) -> bool {
    let mut nesting = innermost();
    // Ends: each was there before the one that points to it.
    // SAFETY: null, or on this thread's stack below the frame that is running: `within` takes it out before it returns.
    while let Some(Nesting { allocator: inside, outer, .. }) = unsafe { nesting.as_ref() } {
        if *inside == allocator {
            return true;
        }
        nesting = *outer;
    }
    false
}

/// The record that this thread has when it is not inside any fallback.
pub(crate) fn outermost_record() -> *const ThreadRecord {
    let (mut record, mut nesting) = (thread_record::this_thread_or_none(), innermost());
    // SAFETY: as in `is_within`, which also says why this ends.
    while let (None, Some(Nesting { record: before, outer, .. })) = (record, unsafe { nesting.as_ref() }) {
        (record, nesting) = (thread_record::unless_without(before.load(Relaxed)), *outer);
    }
    record.unwrap_or(ptr::null())
}
