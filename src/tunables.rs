//! All chosen numbers, each with its unit, its reason and its cost. Numbers that follow from these are
//! derived elsewhere.

/// Whether the model checker runs this. Its numbers are small, so that a few slots and threads reach the
/// limits.
pub(crate) const IS_MODEL: bool = cfg!(framepool_loom);

/// The default table: bytes of a slot and number of slots for Small, Medium, Large and XLarge.
///
/// The sizes and numbers are those of ascii-chat's buffer pool: audio packets, small frames, larger frames and
/// HD frames. Costs 141 MiB of address space; a slot costs memory from its first use on.
pub(crate) const DEFAULT_TABLE: [(usize, usize); 4] =
    [(1 << 10, 1024), (64 << 10, 64), (256 << 10, 32), (2 << 20, 64)];

/// The minimum bytes of inaccessible address space before, between and after the slabs.
///
/// It is the largest page of any supported machine, so that the layout of the reservation is known at compile
/// time. Costs address space only.
pub(crate) const GUARD_BYTES: usize = 64 << 10;

/// The number of threads that have counters and magazines of their own at one time. Threads beyond these use
/// shared counters, by an atomic addition for each count, and take from the shared sets.
///
/// It is well above what a media program runs at once. Costs 6,272 bytes of metadata for each place, resident
/// once used.
pub(crate) const PLACES: usize = if IS_MODEL { 3 } else { 256 };

/// The number of allocators whose fallbacks a thread may be inside of at once, each with a count of its own.
///
/// One is usual, and two if a pool is the fallback of another. A thread inside more of them uses no pools
/// until it has left those. Costs each thread 16 bytes a row.
pub(crate) const NESTED_ALLOCATORS: usize = 8;

/// The number of slots that a magazine has room for.
///
/// So a lane's part of a place is eight cache lines, counters included.
pub(crate) const MAGAZINE_CAPACITY: usize = if IS_MODEL { 3 } else { 57 };

/// The maximum number of slots that move between a magazine and a set at a time.
///
/// It is enough to make the set's one or two atomic operations cheap for each slot. The slots lie on the
/// stack meanwhile.
pub(crate) const MAGAZINE_BATCH: usize = if IS_MODEL { 2 } else { 16 };

/// The default maximum of a magazine, in slots and in bytes of slots. A magazine grows to it if its thread
/// has use for that many.
///
/// Bursts of 16 slots of any class then come from the magazine. Each cached slot may be one more that is
/// touched.
pub(crate) const MAGAZINE_DEFAULT_LIMIT: usize = 32;
pub(crate) const MAGAZINE_DEFAULT_LIMIT_BYTES: usize = 64 << 20;

/// The number of slots that a magazine starts with, or as many as these bytes hold, if that is more. The
/// maximum is [`MAGAZINE_DEFAULT_LIMIT`].
///
/// It makes a hand-over between threads cheap: two slots move at a time, or more if they are small. A slot of
/// 1 MiB takes about 100 us to fill, and an atomic operation is nothing against that. Each cached slot may be
/// one more that is touched.
pub(crate) const MAGAZINE_FIRST: usize = 4;
pub(crate) const MAGAZINE_FIRST_BYTES: usize = 1 << 20;

/// The maximum bytes of slots that a thread may cache before it has shown use for them. A magazine of more
/// starts cold.
pub(crate) const MAGAZINE_COLD_BYTES: usize = 64 << 10;

/// The visit score at which a thread gets a magazine, and what a meeting adds to it. A visit to the set adds
/// 1 if no other thread visited in between. Otherwise the visit halves the score. A visit during which
/// another thread arrives adds the score of a meeting, so two of these in a row are enough.
///
/// At 30 frames a second, threads that share a lane do not reach it.
pub(crate) const WARM_SCORE: u32 = 16;
pub(crate) const MEETING_SCORE: u32 = 11;

/// The minimum number of slots that a magazine takes: one to give back and take again, one to hand over.
pub(crate) const MAGAZINE_MIN: usize = 2;

/// The maximum part of a lane's slots, and of its free slots, that `trim` takes out of the set at a time: one
/// in this many. It always takes as many as one page touches.
///
/// So threads that take slots meanwhile find free ones. A larger part would make fewer system calls for the
/// same work.
pub(crate) const TRIM_LANE_SHARE: usize = 8;
pub(crate) const TRIM_FREE_SHARE: usize = 2;

/// The size in bytes from which refused requests are counted by size. The pools are for such requests. The count
/// costs such a request about 10 ns, of the 30 to 70 ns that `System` takes for it and its free.
pub(crate) const REFUSED_FROM: usize = 16 << 10;

/// The number of refused small requests, for one reason, after which `PoolAlloc` makes glibc consolidate its heap if the
/// pools have taken large requests since: see `os/glibc.rs`. Each place of a thread has counts of its own. Threads
/// without a place share one set.
///
/// A cache of parsed JSON documents takes as long as with `System` alone, and 1.11 times as long without this. With
/// 256 it takes 0.96 of the time, but each refused request and its free take 1 ns more, of 20. With this number they
/// take 0.5 ns more.
pub(crate) const CONSOLIDATION_PERIOD: u64 = 1024;

/// The number of ranges of sizes of refused requests: one below [`REFUSED_FROM`], then powers of two. The last one,
/// from 256 MiB on, has no end.
pub(crate) const REFUSED_BUCKETS: usize = 16;

/// The distance in bytes that keeps the data of two threads apart: two cache lines, because x86 prefetches
/// them in pairs.
pub(crate) const LINE_PAIR: usize = 128;

/// The slot map may cost at most one byte for this many bytes of slots.
pub(crate) const SLOT_BYTES_PER_MAP_BYTE: usize = 32;

const _: () =
    assert!(GUARD_BYTES.is_power_of_two(), "make GUARD_BYTES a power of two: slabs are aligned to it");
const _: () = assert!(
    IS_MODEL || PLACES.is_multiple_of(64),
    "make PLACES a multiple of 64: they are claimed from 64-bit words"
);
