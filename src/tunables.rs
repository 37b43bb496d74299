//! Every number that somebody chose, with its unit, its reason and its cost. What follows from them is derived elsewhere.

/// Bytes of inaccessible address space before, between and after the slabs, at least.
///
/// The largest page of any supported machine, so that the layout of the reservation is known at compile time. Costs
/// address space only.
pub(crate) const GUARD_BYTES: usize = 64 << 10;

/// Threads that have counters of their own at one time; the ones beyond share a set, at an atomic addition a count.
///
/// Well above what a media program runs at once. Costs 512 bytes of metadata each, resident once used.
pub(crate) const PLACES: usize = 256;

/// Gives that a thread notes after it lost a race for a slot, so that it can take those slots back at once.
///
/// Long enough that two threads which keep meeting lose one race in so many takes; short enough that a thread alone soon stops paying
/// the nanosecond.
pub(crate) const NOTES_AFTER_A_RACE: u64 = 256;

/// Bytes that two threads' data are kept apart by: two cache lines, because x86 prefetches them in pairs.
pub(crate) const LINE_PAIR: usize = 128;

/// The slot map may cost at most one byte for this many bytes of slots.
pub(crate) const SLOT_BYTES_PER_MAP_BYTE: usize = 32;

const _: () =
    assert!(GUARD_BYTES.is_power_of_two(), "make GUARD_BYTES a power of two: slabs are aligned to it");
const _: () =
    assert!(PLACES.is_multiple_of(64), "make PLACES a multiple of 64: they are claimed from 64-bit words");
