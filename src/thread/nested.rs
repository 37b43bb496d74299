//! Which allocators this thread is inside the fallback of: its requests to them go to the fallback too, uncounted, until it has left.
//!
//! A profiler as the fallback allocates for itself inside a call (dhat: maps and backtraces), through the global allocator, which made the
//! call. The pools must neither serve nor count that as the program's own. The same goes for all of
//! [`unpooled`](crate::PoolAlloc::unpooled).
//!
//! How deep the thread is inside each allocator is counted in a `const` thread-local without `Drop`. While any count is above 0, the thread
//! has no [record](crate::thread::state): a hit checks nothing, fails to enter, and the slow path asks here. That costs one load on a thread
//! that is inside of none.
//!
//! **Coroutines.** A piece of code that enters may suspend inside, others may run meanwhile and leave in any order, and it may go on on another
//! thread. So nothing here lies on a stack, and a [`FallbackFrame`] keeps numbers, no addresses of anything of a thread: the thread's, which no other
//! thread ever has, and the allocator's. A guard that ends on another thread than it began on changes nothing there. The thread on which it
//! began stays inside, because nothing can change another thread's counts. [`is_inside`] is inlined only where no suspension follows: code that
//! goes on on another thread must not use a thread-local's address that was computed before.
//!
//! **Signal handlers** may interrupt any step and enter and leave themselves; that leaves all counts as they were. A `siglongjmp` out of the
//! code inside, like a coroutine that never ends, leaves the thread inside for good.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | all of `Depths` | its thread and the signal handlers on it (Relaxed) | nothing: no other thread reads it |
//! | `THREADS` | each thread that enters for the first time (Relaxed) | nothing |

use crate::fatal::invariant;
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, light_fence};
use crate::thread::current;
use crate::tunables::NESTED_ALLOCATORS;

/// What one thread is inside of.
struct Depths {
    /// This thread's number; 0 until it is needed.
    thread: AtomicU64,
    /// All depths together.
    total: AtomicU32,
    /// Depth of the allocators that found no free row.
    unlisted: AtomicU32,
    rows: [Row; NESTED_ALLOCATORS],
}

/// How deep the thread is inside one allocator.
struct Row {
    /// Its address; 0 in a free row.
    allocator: AtomicUsize,
    /// 0 in a free row. Stored before `allocator` when the row is taken, and after it when the row becomes free.
    depth: AtomicU32,
}

thread_local! {
    static DEPTHS: Depths = const {
        Depths {
            thread: AtomicU64::new(0),
            total: AtomicU32::new(0),
            unlisted: AtomicU32::new(0),
            rows: [const { Row { allocator: AtomicUsize::new(0), depth: AtomicU32::new(0) } }; NESTED_ALLOCATORS],
        }
    };
}

/// Threads that have a number. More than 2^63 will never be.
static THREADS: AtomicU64 = AtomicU64::new(0);

/// Leaves when it is dropped.
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
    /// This thread enters the fallback of the allocator at this address. It leaves when the frame is dropped, also by unwinding.
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
    /// The number of this thread, of which no other thread has the same, not even later.
    fn thread(&self) -> u64 {
        let number = self.thread.load(Relaxed);
        if number != 0 {
            return number;
        }
        let new = THREADS.fetch_add(1, Relaxed) + 1;
        // Fails if a signal handler on this thread has come first.
        self.thread.compare_exchange(0, new, Relaxed, Relaxed).map_or_else(|number| number, |_| new)
    }

    /// One level deeper in an allocator's row, or in a free one; `false` if there is neither.
    fn list(&self, allocator: usize) -> bool {
        if let Some(row) = self.row_of(allocator) {
            change(&row.depth, 1);
            return true;
        }
        // A single step, so that of a thread and the handlers that interrupt it only one gets the row.
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

    /// An allocator without a row counts as one that the thread is inside of while there are any such.
    fn has(&self, allocator: usize) -> bool {
        self.unlisted.load(Relaxed) != 0 || self.row_of(allocator).is_some()
    }

    fn row_of(&self, allocator: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.allocator.load(Relaxed) == allocator)
    }
}

/// Adds to a count of this thread. A signal handler in between leaves it as it was.
fn change(count: &AtomicU32, by: i32) {
    count.store(count.load(Relaxed).wrapping_add_signed(by), Relaxed);
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
