//! Every number that somebody chose, with its unit, its reason and its cost. What follows from them is derived elsewhere.

/// Whether the model checker runs this. It gets little of everything, so that a few slots and threads fill it.
pub(crate) const IS_MODEL: bool = cfg!(framepool_loom);

/// Bytes of inaccessible address space before, between and after the slabs, at least.
///
/// The largest page of any supported machine, so that the layout of the reservation is known at compile time. Costs
/// address space only.
pub(crate) const GUARD_BYTES: usize = 64 << 10;

/// Threads that have counters and magazines of their own at one time; the ones beyond share counters, at an atomic addition a count,
/// and take from the shared sets.
///
/// Well above what a media program runs at once. Costs 4,352 bytes of metadata each, resident once used.
pub(crate) const PLACES: usize = if IS_MODEL { 3 } else { 256 };

/// Allocators whose fallbacks a thread may be inside of at once, each with a count of its own.
///
/// One is usual, two where a pool is the fallback of another. A thread inside more is outside all pools meanwhile. Costs each thread 16 bytes
/// a row.
pub(crate) const NESTED_ALLOCATORS: usize = 8;

/// Slots that a magazine has room for.
///
/// What makes a lane's record eight cache lines, counters included.
pub(crate) const MAGAZINE_CAPACITY: usize = if IS_MODEL { 3 } else { 57 };

/// Slots that move between a magazine and a set at a time, at most.
///
/// Enough to make the set's one or two atomic operations cheap a slot; they lie on the stack meanwhile.
pub(crate) const MAGAZINE_BATCH: usize = if IS_MODEL { 2 } else { 16 };

/// Slots, and bytes of slots, that a magazine grows to by default, if its thread has use for them.
///
/// Bursts of 16 of any class come from the magazine then. Each cached slot may be one more that is touched.
pub(crate) const MAGAZINE_DEFAULT_LIMIT: usize = 32;
pub(crate) const MAGAZINE_DEFAULT_LIMIT_BYTES: usize = 64 << 20;

/// Slots that a magazine starts with, and bytes of slots if those are more.
///
/// What makes a hand-over between threads cheap: two slots move at a time, or more where they are small. A slot of a MiB takes a hundred
/// microseconds to fill, against which an atomic operation is nothing, and each cached one may be one more that is touched.
pub(crate) const MAGAZINE_FIRST: usize = 4;
pub(crate) const MAGAZINE_FIRST_BYTES: usize = 1 << 20;

/// Bytes of slots that a thread may cache before it has shown any use for them. More wait until it is hot.
pub(crate) const MAGAZINE_COLD_BYTES: usize = 64 << 10;

/// Heat at which a thread gets a magazine: so many visits to the set without another thread's in between (each of those halves what there
/// is), or some two at which another thread was there at the same time.
///
/// A camera's pace reaches neither where threads share a lane.
pub(crate) const WARM_SCORE: u32 = 16;
pub(crate) const MEETING_SCORE: u32 = 11;

/// Slots that a magazine takes at least: one to give back and take again, one to hand over.
pub(crate) const MAGAZINE_MIN: usize = 2;

/// Of a lane's slots, and of those that are free, `trim` takes this part out of the set at a time, at most.
///
/// So that who takes slots meanwhile finds some. A larger part would make fewer system calls of the same work.
pub(crate) const TRIM_LANE_SHARE: usize = 8;
pub(crate) const TRIM_FREE_SHARE: usize = 2;

/// Bytes that two threads' data are kept apart by: two cache lines, because x86 prefetches them in pairs.
pub(crate) const LINE_PAIR: usize = 128;

/// The slot map may cost at most one byte for this many bytes of slots.
pub(crate) const SLOT_BYTES_PER_MAP_BYTE: usize = 32;

const _: () =
    assert!(GUARD_BYTES.is_power_of_two(), "make GUARD_BYTES a power of two: slabs are aligned to it");
const _: () = assert!(
    IS_MODEL || PLACES.is_multiple_of(64),
    "make PLACES a multiple of 64: they are claimed from 64-bit words"
);
