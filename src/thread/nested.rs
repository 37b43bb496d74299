//! The allocators whose fallbacks this thread is inside of. Until it has left, its requests to them go to the
//! fallback too, uncounted.
//!
//! A profiler as the fallback allocates for itself inside a call (dhat: maps and backtraces), through the
//! global allocator that made the call. The pools must neither serve such a request nor count it as the
//! program's own. The same goes for all requests inside [`unpooled`](crate::PoolAlloc::unpooled).
//!
//! A `const` thread-local without `Drop` counts how deep the thread is inside each allocator. While any count
//! is above 0, the thread's [place](crate::thread::state) is hidden. A hit then checks nothing more: it fails
//! to enter, and the slow path asks here. On a thread that is inside no fallback, that costs one load. On any
//! other it also compares up to [`NESTED_ALLOCATORS`] addresses.
//!
//! # Coroutines
//!
//! A coroutine that has entered may suspend inside. Meanwhile other coroutines may run, and leave in any
//! order. The first one may resume on another thread.
//!
//! So nothing here lies on a stack. A [`FallbackFrame`] keeps the number of its thread, which no other thread
//! ever has, and the address of its allocator. It keeps no address of anything that belongs to a thread. If a
//! frame ends on another thread than it began on, it changes nothing there. The thread on which it began
//! stays inside, because no thread can change another's counts.
//!
//! [`is_inside`] is inlined only where no suspension follows: code that resumes on another thread must not
//! use a thread-local's address that was computed before.
//!
//! # Signal handlers
//!
//! A signal handler may interrupt any step, and may enter and leave itself. That leaves all counts as they
//! were. If a `siglongjmp` leaves the code inside, or a coroutine never ends, the thread stays inside until
//! its end.
//!
//! # Fields
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | all of `Depths` | its thread and the signal handlers on it (Relaxed) | nothing: no other thread reads it |
//! | `THREADS` | each thread that enters for the first time (Relaxed) | nothing |

use crate::fatal::invariant;
use crate::os::local::thread_value;
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, light_fence};
use crate::thread::current;
use crate::tunables::NESTED_ALLOCATORS;

/// The depths of one thread.
struct Depths {
    /// The thread's number; 0 until it is needed.
    thread: AtomicU64,
    /// The sum of all depths.
    total: AtomicU32,
    /// The sum of the depths of the allocators that found no free row.
    unlisted: AtomicU32,
    rows: [Row; NESTED_ALLOCATORS],
}

/// The depth of the thread inside one allocator.
struct Row {
    /// The allocator's address; 0 in a free row.
    allocator: AtomicUsize,
    /// The depth; 0 in a free row. It is stored before `allocator` when the row is taken, and after it when
    /// the row becomes free.
    depth: AtomicU32,
}

thread_value! {
    static DEPTHS: Depths = const {
        Depths {
            thread: AtomicU64::new(0),
            total: AtomicU32::new(0),
            unlisted: AtomicU32::new(0),
            rows: [const { Row { allocator: AtomicUsize::new(0), depth: AtomicU32::new(0) } }; NESTED_ALLOCATORS],
        }
    };
}

/// The number of threads that have a number. It never reaches 2^63.
static THREADS: AtomicU64 = AtomicU64::new(0);

/// A thread's stay inside a fallback. The thread leaves when this is dropped.
pub(crate) struct FallbackFrame {
    allocator: usize,
    thread: u64,
    is_listed: bool,
}

/// Whether this thread is inside the fallback of the allocator at this address.
#[inline]
pub(crate) fn is_inside(allocator: *const ()) -> bool {
    DEPTHS.with(|depths| depths.total.load(Relaxed) != 0 && depths.has(allocator.addr()))
}

impl FallbackFrame {
    /// Enters the fallback of the allocator at this address, on this thread. It leaves when the frame is
    /// dropped, also by unwinding.
    #[inline(never)]
    pub(crate) fn enter(allocator: *const ()) -> Self {
        let allocator = allocator.addr();
        DEPTHS.with(|depths| {
            let is_listed = depths.list(allocator);
            if !is_listed {
                change(&depths.unlisted, 1);
            }
            change(&depths.total, 1);
            light_fence();
            current::suspend();
            Self { allocator, thread: depths.thread(), is_listed }
        })
    }

    #[inline(never)]
    fn leave(&self) {
        DEPTHS.with(|depths| {
            if depths.thread.load(Relaxed) != self.thread {
                return;
            }
            if self.is_listed {
                depths.unlist(self.allocator);
            } else {
                change(&depths.unlisted, -1);
            }
            change(&depths.total, -1);
            light_fence();
            if depths.total.load(Relaxed) == 0 {
                current::resume();
            }
        });
    }
}

impl Drop for FallbackFrame {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Depths {
    /// Returns the number of this thread. No other thread ever has the same number.
    fn thread(&self) -> u64 {
        let number = self.thread.load(Relaxed);
        if number != 0 {
            return number;
        }
        let new = THREADS.fetch_add(1, Relaxed) + 1;
        // Fails if a signal handler on this thread came first.
        self.thread.compare_exchange(0, new, Relaxed, Relaxed).map_or_else(|number| number, |_| new)
    }

    /// Goes one level deeper in an allocator's row, or in a free one. `false` if there is neither.
    fn list(&self, allocator: usize) -> bool {
        if let Some(row) = self.row_of(allocator) {
            change(&row.depth, 1);
            return true;
        }
        // One step: of a thread and the handlers that interrupt it, only one gets the row.
        let is_free = |row: &&Row| row.depth.compare_exchange(0, 1, Relaxed, Relaxed).is_ok();
        let Some(row) = self.rows.iter().find(is_free) else { return false };
        light_fence();
        row.allocator.store(allocator, Relaxed);
        true
    }

    fn unlist(&self, allocator: usize) {
        let Some(row) = self.row_of(allocator) else { return };
        invariant!(row.depth.load(Relaxed) > 0, "a thread leaves a fallback that it is inside of");
        if row.depth.load(Relaxed) == 1 {
            row.allocator.store(0, Relaxed);
            light_fence();
        }
        change(&row.depth, -1);
    }

    /// Whether the thread is inside this allocator. While it is inside any that has no row, it counts as
    /// inside every allocator.
    fn has(&self, allocator: usize) -> bool {
        self.unlisted.load(Relaxed) != 0 || self.row_of(allocator).is_some()
    }

    fn row_of(&self, allocator: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.allocator.load(Relaxed) == allocator)
    }
}

/// Adds to a count of this thread. A signal handler that runs in between leaves the count as it was.
fn change(count: &AtomicU32, by: i32) {
    count.store(count.load(Relaxed).wrapping_add_signed(by), Relaxed);
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
