//! A thread's place: counters that only it writes, from its first use of an allocator to its exit.
//!
//! Places lie in a table in the metadata, which is never unmapped, so a record may outlive everything else. A thread has
//! one record, with the first allocator that it uses; with any other, and while it has none, it uses the shared
//! counters. It has none when the table is full (in the child of a `fork` the places of the threads that are gone stay taken), on systems without a way to learn of a thread's exit, and after its own
//! exit has begun.
//!
//! A thread's record is reached by a `const` thread-local without `Drop`, which allocates nothing and works at any time of a
//! thread's life; exit is the destructor of a pthread key, because registering a thread-local's `Drop` allocates. `busy`
//! marks the owner's section, so that a signal handler that interrupted it does not write between its loads and stores.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `owner` | who claims the place (Relaxed) | nothing: read by the same thread only |
//! | `busy` | the owner (Relaxed), read by handlers on the same thread | nothing: a compiler fence orders it |
//! | `Places::taken` | who claims (Acquire), who exits (Release) | the counts that the last owner left |
//! | `Places::used` | who claims (Relaxed) | nothing: snapshots read what they find |

use core::ptr::{NonNull, from_ref};

use crate::config::CLASSES;
use crate::counters::{self, Add, Counters};
use crate::metadata::Metadata;
use crate::recent::Recent;
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    compiler_fence,
};
use crate::tunables::PLACES;

/// One place of the table.
#[repr(C, align(128))]
pub(crate) struct ThreadRecord {
    /// Address of the metadata that the place belongs to; the stand-ins below have addresses that no mapping has.
    owner: AtomicUsize,
    busy: AtomicBool,
    recent: [Recent; CLASSES],
    pub(crate) counters: Counters,
}

const _: () = assert!(size_of::<ThreadRecord>() == 512, "correct the cost of a place in tunables.rs");

/// A stand-in for threads without a place. Nothing is ever counted in it.
const fn stand_in(owner: usize) -> ThreadRecord {
    ThreadRecord {
        owner: AtomicUsize::new(owner),
        busy: AtomicBool::new(false),
        recent: [const { Recent::new() }; CLASSES],
        counters: Counters::new(),
    }
}

/// No place yet: the next slow path claims one.
static UNBOUND: ThreadRecord = stand_in(1);
/// No place now or ever again: claiming one, refused, or past the thread's exit.
static WITHOUT: ThreadRecord = stand_in(2);

thread_local! {
    /// Never null. Atomic because signal handlers on the same thread write it too; Relaxed, because nobody else does.
    static RECORD: AtomicPtr<ThreadRecord> = const { AtomicPtr::new(from_ref(&UNBOUND).cast_mut()) };
}

#[inline(always)]
fn this_thread() -> &'static ThreadRecord {
    // SAFETY: one of the stand-ins, or a record of a table, none of which is ever unmapped.
    RECORD.with(|record| unsafe { &*record.load(Relaxed) })
}

fn set_this_thread(record: &'static ThreadRecord) {
    RECORD.with(|place| place.store(from_ref(record).cast_mut(), Relaxed));
}

/// Where to count.
pub(crate) trait Tally: Copy {
    /// Adds to the counters that `update` picks.
    fn count(self, update: impl Fn(&Counters, Add));
}

/// This thread's own counters: plain loads and stores.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a>(&'a ThreadRecord);

impl Own<'_> {
    /// This thread's place at `metadata`; `None` if it has none, or if it was interrupted while it counts.
    #[inline(always)]
    pub(crate) fn at(metadata: *const Metadata) -> Option<Self> {
        let record = this_thread();
        let usable = record.owner.load(Relaxed) == metadata.addr() && !record.busy.load(Relaxed);
        usable.then_some(Self(record))
    }

    /// What this thread gave last in `class`.
    #[inline(always)]
    pub(crate) fn recent(&self, class: usize) -> &Recent {
        &self.0.recent[class]
    }
}

impl Tally for Own<'_> {
    #[inline(always)]
    fn count(self, update: impl Fn(&Counters, Add)) {
        self.0.busy.store(true, Relaxed);
        // The fences keep the compiler from moving the counts out of the section. The processor needs none: the only
        // other reader of `busy` is a signal handler on this very thread.
        compiler_fence(SeqCst);
        update(&self.0.counters, counters::owned);
        compiler_fence(SeqCst);
        self.0.busy.store(false, Relaxed);
    }
}

/// The counters of all who have none of their own: atomic additions.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a>(pub(crate) &'a Counters);

impl Tally for Shared<'_> {
    #[inline]
    fn count(self, update: impl Fn(&Counters, Add)) {
        update(self.0, counters::shared);
    }
}

/// Gives this thread a place at `metadata` if it may have one and has none with any allocator.
pub(crate) fn bind(metadata: &'static Metadata) {
    let unbound = from_ref(&UNBOUND).cast_mut();
    let without = from_ref(&WITHOUT).cast_mut();
    // One step, so that of a thread and the handlers that interrupt it only one goes on to claim a place.
    if RECORD.with(|record| record.compare_exchange(unbound, without, Relaxed, Relaxed)).is_ok() {
        compiler_fence(SeqCst);
        metadata.places.claim(metadata);
    }
}

/// Which places of a table have an owner.
#[repr(C, align(128))]
pub(crate) struct Places {
    /// A bit for each place.
    taken: [AtomicU64; PLACES / 64],
    /// Places that ever had an owner are below this.
    used: AtomicUsize,
}

impl Places {
    pub(crate) const fn new() -> Self {
        Self { taken: [const { AtomicU64::new(0) }; PLACES / 64], used: AtomicUsize::new(0) }
    }

    /// Makes one of the free places this thread's, which is marked as without one, if its exit can be watched.
    fn claim(&self, metadata: &'static Metadata) {
        let Some(exit_hook) = metadata.exit_hook else { return };
        let Some(place) = self.taken.iter().zip((0..).step_by(64)).find_map(|(word, first)| {
            let lowest_clear = |bits: u64| bits.checked_add(1).map(|next| bits | next);
            let before = word.fetch_update(Acquire, Relaxed, lowest_clear).ok()?;
            Some(first + before.trailing_ones() as usize)
        }) else {
            return;
        };
        let record = metadata.record(place);
        record.owner.store(from_ref(metadata).addr(), Relaxed);
        record.busy.store(false, Relaxed);
        self.used.fetch_max(place + 1, Relaxed);
        if !exit_hook.watch_this_thread(NonNull::from(record).cast()) {
            self.release(place);
            return;
        }
        compiler_fence(SeqCst);
        set_this_thread(record);
    }

    fn release(&self, place: usize) {
        self.taken[place / 64].fetch_and(!(1 << (place % 64)), Release);
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

/// The pthread key's destructor: gives the place of the thread that is exiting to the next one, counts and all.
///
/// # Safety
///
/// `record` is what [`Places::claim`] gave `watch_this_thread` on this thread.
pub(crate) unsafe extern "C" fn on_thread_exit(record: *mut core::ffi::c_void) {
    // Destructors that run after this one may allocate and free; they use the shared counters.
    set_this_thread(&WITHOUT);
    // SAFETY: by contract a record of a table that is never unmapped.
    let record = unsafe { &*record.cast::<ThreadRecord>() };
    // SAFETY: `claim` stored the address of this record's metadata there.
    let metadata = unsafe { &*core::ptr::with_exposed_provenance::<Metadata>(record.owner.load(Relaxed)) };
    metadata.places.release(metadata.place_of(record));
}
