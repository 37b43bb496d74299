//! A thread's place: magazines and counters that only it touches, from its first use of an allocator to its exit.
//!
//! Places lie in a table in the metadata, which is never unmapped, so a record may outlive everything else. A thread has
//! one record, with the first allocator that it uses; with any other, and while it has none, it uses the sets and the shared
//! counters. It has none when the table is full (where the system cannot mark memory for `fork`, the child's is as full as its parent's), on
//! systems without a way to learn of a thread's exit, [inside a fallback](crate::nested), and after its own exit has begun.
//!
//! A thread's record is reached by a `const` thread-local without `Drop`, which allocates nothing and works at any time of a
//! thread's life; exit is the destructor of a pthread key, because registering a thread-local's `Drop` allocates. The
//! [`Gate`] says whose the record is and whether its owner is inside, in one word.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `gate`, magazines | see [`magazine`](crate::magazine) | |
//! | who has which place | see [`places`](crate::places) | |
//! | `owner` | see [`orphans`](crate::orphans) | |

use core::ptr::{NonNull, from_ref, null_mut};

use crate::constructor;
use crate::counters::{self, Add, Counters, LaneCounters};
use crate::home::Home;
use crate::lane::{LANES, Lane};
use crate::magazine::{Gate, Magazine};
use crate::metadata::Metadata;
use crate::orphans;
use crate::os;
use crate::reclaim::Caches;
use crate::section::Section;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed, light_fence};

/// One place of the table.
#[repr(C, align(128))]
pub(crate) struct ThreadRecord {
    /// Its key is the address of the metadata.
    gate: Gate,
    /// What [`os::this_thread`] says of its owner, or of who [asks](orphans) for it; 0 if it has none.
    pub(crate) owner: AtomicU64,
    counters: Counters,
    lanes: [LaneRecord; LANES],
}

/// All of a lane that a hit touches here.
#[repr(C, align(128))]
struct LaneRecord {
    counters: LaneCounters,
    magazine: Magazine,
}

const _: () =
    assert!(size_of::<LaneRecord>() == 512, "make LaneRecord a power of two: it is indexed on each hit");
const _: () = assert!(
    size_of::<ThreadRecord>() == 256 + LANES * 512,
    "correct the cost of a place in tunables.rs, and this"
);

/// A stand-in for threads without a place. Nothing is ever counted or cached in it: no allocator has its key.
const fn stand_in(key: usize) -> ThreadRecord {
    ThreadRecord {
        gate: Gate::new(key),
        owner: AtomicU64::new(0),
        counters: Counters::new(),
        lanes: [const { LaneRecord { counters: LaneCounters::new(), magazine: Magazine::new() } }; LANES],
    }
}

/// No place yet: the next slow path claims one.
static UNBOUND: ThreadRecord = stand_in(1);
/// No place now: claiming one, refused, past the thread's exit, or [inside a fallback](crate::nested).
static WITHOUT: ThreadRecord = stand_in(2);

thread_local! {
    /// What requests look at; never null. Atomic because signal handlers on the same thread write it too; Relaxed, because no other thread
    /// does.
    static RECORD: AtomicPtr<ThreadRecord> = const { AtomicPtr::new(from_ref(&UNBOUND).cast_mut()) };
    /// What the thread has, shown in `RECORD` or not. The same goes for its fields.
    static BINDING: Binding = const { Binding { own: AtomicPtr::new(null_mut()), is_bound: AtomicBool::new(false) } };
}

/// A thread's bond with the table of places.
struct Binding {
    /// The thread's place, from the claim to the exit.
    own: AtomicPtr<ThreadRecord>,
    /// Whether the thread has had its one chance to get a place.
    is_bound: AtomicBool,
}

impl Binding {
    /// What requests may look at while the thread is inside no fallback.
    fn visible(&self) -> *mut ThreadRecord {
        let own = self.own.load(Relaxed);
        if !own.is_null() {
            own
        } else if self.is_bound.load(Relaxed) {
            from_ref(&WITHOUT).cast_mut()
        } else {
            from_ref(&UNBOUND).cast_mut()
        }
    }
}

#[inline(always)]
fn this_thread() -> &'static ThreadRecord {
    let record = RECORD.with(|record| record.load(Relaxed));
    // SAFETY: one of the stand-ins, or a record of a table, none of which is ever unmapped.
    unsafe { &*record }
}

/// Takes this thread's record away from its requests until it is [shown](show) again.
pub(crate) fn hide() {
    RECORD.with(|record| record.store(from_ref(&WITHOUT).cast_mut(), Relaxed));
}

/// Shows requests what this thread has.
///
/// A signal handler may have bound the thread since that was looked up; then [`bind`] puts it right.
pub(crate) fn show() {
    let visible = BINDING.with(Binding::visible);
    RECORD.with(|record| record.store(visible, Relaxed));
}

/// This thread's place, hidden or not; null if it has none.
pub(crate) fn own_record() -> *const ThreadRecord {
    BINDING.with(|binding| binding.own.load(Relaxed))
}

/// This thread's own place: plain loads and stores.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    record: &'static ThreadRecord,
    key: usize,
}

/// This thread's own place, entered: counters and, while a lane is cached, its magazine are this thread's alone until this is dropped.
pub(crate) struct Inside {
    record: &'static ThreadRecord,
    key: usize,
}

impl Own {
    /// This thread's place at `metadata`; `None` if it has none, or if it was interrupted inside.
    #[inline(always)]
    pub(crate) fn at(metadata: *const Metadata) -> Option<Self> {
        let (record, key) = (this_thread(), metadata.addr());
        record.gate.is_mine(key).then_some(Self { record, key })
    }

    /// Never `None` for a caller that was outside when it got this.
    #[inline(always)]
    pub(crate) fn enter(self) -> Option<Inside> {
        // Lazily: what is dropped opens the gate.
        self.record.gate.enter(self.key).then(|| Inside { record: self.record, key: self.key })
    }

    /// Runs `f` inside.
    #[inline(always)]
    fn with(self, f: impl FnOnce(&Inside)) {
        if let Some(inside) = self.enter() {
            f(&inside);
        }
    }

    /// [`at`](Self::at) and [`enter`](Self::enter) in one.
    #[inline(always)]
    pub(crate) fn enter_at(metadata: *const Metadata) -> Option<Inside> {
        Self { record: this_thread(), key: metadata.addr() }.enter()
    }

    /// Where in the sets this thread looks first.
    pub(crate) fn home(self, metadata: &Metadata) -> usize {
        metadata.place_of(self.record)
    }
}

impl Inside {
    #[inline(always)]
    pub(crate) fn magazine(&self, lane: Lane) -> &Magazine {
        &self.record.lanes[lane.index()].magazine
    }

    #[inline(always)]
    pub(crate) fn counters(&self, lane: Lane) -> &LaneCounters {
        &self.record.lanes[lane.index()].counters
    }

    /// The counters that are not a lane's.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &Counters {
        &self.record.counters
    }
}

impl Drop for Inside {
    #[inline(always)]
    fn drop(&mut self) {
        self.record.gate.leave(self.key);
    }
}

/// Where this thread counts.
#[derive(Clone, Copy)]
pub(crate) enum Tally<'a> {
    /// In its own place: plain loads and stores.
    Own(Own),
    /// Where all do that have none: atomic additions. Which counters those are is asked when something is counted, for the pools may
    /// become ready meanwhile.
    Shared(&'a Home),
}

impl Tally<'_> {
    /// This thread's place, if it has one.
    #[inline]
    pub(crate) fn own(self) -> Option<Own> {
        match self {
            Self::Own(own) => Some(own),
            Self::Shared(_) => None,
        }
    }

    /// Counts a hit of `bytes` bytes.
    #[inline]
    pub(crate) fn hit(self, lane: Lane, bytes: usize) {
        match self {
            Self::Own(own) => own.with(|inside| inside.counters(lane).count_hit(bytes)),
            Self::Shared(home) => {
                home.shared()
                    .into_iter()
                    .for_each(|shared| shared.lanes[lane.index()].count_shared_hit(bytes));
            }
        }
    }

    /// Adds to the counters of a lane that `update` picks.
    #[inline]
    pub(crate) fn lane(self, lane: Lane, update: impl Fn(&LaneCounters, Add)) {
        match self {
            Self::Own(own) => own.with(|inside| update(inside.counters(lane), counters::owned)),
            Self::Shared(home) => {
                home.shared()
                    .into_iter()
                    .for_each(|shared| update(&shared.lanes[lane.index()], counters::shared));
            }
        }
    }

    /// Adds to the other counters that `update` picks.
    #[inline]
    pub(crate) fn count(self, update: impl Fn(&Counters, Add)) {
        match self {
            Self::Own(own) => own.with(|inside| update(inside.rest(), counters::owned)),
            Self::Shared(home) => {
                update(home.shared().map_or(home.early(), |shared| &shared.rest), counters::shared);
            }
        }
    }
}

/// What others see of a place.
impl ThreadRecord {
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn magazine(&self, lane: Lane) -> &Magazine {
        &self.lanes[lane.index()].magazine
    }

    pub(crate) fn lane_counters(&self, lane: Lane) -> &LaneCounters {
        &self.lanes[lane.index()].counters
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// Gives this thread a place at `metadata` if it may have one and has none with any allocator.
pub(crate) fn bind(metadata: &'static Metadata) {
    let unbound = from_ref(&UNBOUND).cast_mut();
    let without = from_ref(&WITHOUT).cast_mut();
    if !core::ptr::eq(this_thread(), &UNBOUND) {
        return;
    }
    // A thread may come again that allocates before the constructor has run, or in an unsettled child.
    let Some(exit_hook) = constructor::exit_hook() else { return };
    if !metadata.is_settled() {
        return;
    }
    // One step, so that of a thread and the handlers that interrupt it only one goes on to claim a place.
    if RECORD.with(|record| record.compare_exchange(unbound, without, Relaxed, Relaxed)).is_err() {
        return;
    }
    light_fence();
    let was_bound = BINDING.with(|binding| binding.is_bound.swap(true, Relaxed));
    if !was_bound {
        let section = Section::enter(metadata.key());
        claim(metadata, exit_hook);
        drop(section);
        // If a signal handler has forked in the section.
        metadata.is_settled();
    }
    show();
}

/// Makes one of the free places this thread's, if its exit can be watched.
fn claim(metadata: &'static Metadata, exit_hook: os::ExitHook) {
    let this_thread = os::this_thread();
    let set_up = |place| {
        let record = metadata.record(place);
        for lane in Lane::ALL {
            record.magazine(lane).start(metadata.cold_capacity(lane));
        }
        record.owner.store(this_thread, Relaxed);
        record.gate.set(metadata.key());
    };
    let free = metadata.places.claim(set_up);
    let Some(place) = free.or_else(|| orphans::adopt(metadata, this_thread, set_up)) else { return };
    let record = metadata.record(place);
    if !exit_hook.watch_this_thread(NonNull::from(record).cast()) {
        leave(metadata, record);
        return;
    }
    BINDING.with(|binding| binding.own.store(from_ref(record).cast_mut(), Relaxed));
}

/// Gives a place back for the next thread to claim.
fn leave(metadata: &Metadata, record: &ThreadRecord) {
    record.owner.store(0, Relaxed);
    metadata.places.release(metadata.place_of(record));
}

/// In the child of a `fork`: frees the places of the threads that did not come along. One caught inside, or while it got its place ready, stays
/// taken, and what its magazines hold is lost; the magazines of the others are left for a reclaim or the next owner.
///
/// Places that nobody has are left alone: the gates of new ones have no key yet.
pub(crate) fn take_over_places(metadata: &Metadata) {
    let own = own_record();
    for record in metadata.places.taken().map(|place| metadata.record(place)) {
        if core::ptr::eq(record, own) {
            record.owner.store(os::this_thread(), Relaxed);
        } else if record.gate.abandon_unless_open(metadata.key()) {
            leave(metadata, record);
        }
    }
}

/// The pthread key's destructor: empties the magazines of the thread that is exiting, and gives its place to the next one, counts and
/// all.
///
/// # Safety
///
/// `record` is what [`claim`] gave `watch_this_thread` on this thread.
pub(crate) unsafe extern "C" fn on_thread_exit(record: *mut core::ffi::c_void) {
    // Destructors that run after this one may allocate and free; they use the sets and the shared counters.
    // SAFETY: by contract a record of a table that is never unmapped.
    let record = unsafe { &*record.cast::<ThreadRecord>() };
    let address = record.gate.key();
    // SAFETY: `claim` made the address of this record's metadata the key.
    let metadata = unsafe { &*core::ptr::with_exposed_provenance::<Metadata>(address) };
    let section = Section::enter(address);
    BINDING.with(|binding| binding.own.store(null_mut(), Relaxed));
    light_fence();
    hide();
    let own = Own { record, key: address };
    for lane in Lane::ALL {
        metadata.pool(lane).empty_own_magazine(own);
    }
    // A signal handler may have ended the thread inside, its magazine half moved. Then no other thread gets the place.
    if record.gate.abandon_unless_open(address) {
        leave(metadata, record);
    } else {
        record.owner.store(0, Relaxed);
    }
    drop(section);
    // If a signal handler has forked in the section.
    metadata.is_settled();
}
