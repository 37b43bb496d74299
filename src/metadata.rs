//! The metadata: everything that the allocator knows about its slots and threads, in a mapping of its own,
//! away from the slots (P8).
//!
//! The mapping holds, in this order: `Metadata` (signature, modes, lanes, places, the reclaim lock), the words of the
//! slot sets, the thread states, the slot map. It is mapped zeroed. Start-up writes only what must not be
//! zero: the header and the free bits.
//!
//! The metadata of a `PoolAlloc` is never unmapped. Nothing in it points back to the `PoolAlloc`, because a
//! thread's exit may come later than anything else. The metadata of a `BufferPool` has no places for threads,
//! and goes with the pools.

pub(crate) mod figures;
mod fork;
pub(crate) mod fork_mark;
mod lanes;
pub(crate) mod published;
pub(crate) mod signature;
pub(crate) mod slot_state;
mod snapshot;
mod tally;

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::slots::class::CLASSES;
pub(crate) use tally::Tally;

use crate::config::plan::Plan;
use crate::fatal::invariant;
use crate::layout::layout_of;
use crate::magazine::lane_pool::LanePool;
use crate::magazine::mode::{LaneMode, Mode};
use crate::magazine::reclaim::Reclaim;
use crate::metadata::fork_mark::ForkMark;
use crate::metadata::signature::Signature;
use crate::os;
use crate::slots::lane::{LANES, Lane};
use crate::slots::slab::Slab;
use crate::slots::slot_map::SlotMap;
use crate::slots::slot_set::SlotSet;
use crate::stats::counters::SharedCounters;
use crate::stats::peak::Peak;
use crate::stats::recording::Recording;
use crate::sync::{AtomicPtr, AtomicU8, AtomicU64};
use crate::thread::places::Places;
use crate::thread::state::ThreadState;
use crate::tunables::{MAGAZINE_COLD_BYTES, PLACES};

/// The head of the mapping. Once published, it is constant except for the atomics and what the reclaim lock
/// guards. The fields that hits read come first, behind the signature, which is a cache line.
#[repr(C, align(128))]
pub(crate) struct Metadata {
    pub(crate) signature: Signature,
    pub(crate) modes: [Mode; LANES],
    pub(crate) map: SlotMap,
    /// The start of the reservation; null if there is none.
    pub(crate) base: *mut u8,
    /// The first capacity of each lane's magazines, which they have at once, or once their thread is warm.
    first_capacities: [usize; LANES],
    /// The maximum capacity of each lane's magazines.
    max_capacities: [usize; LANES],
    pub(crate) thread_states: NonNull<ThreadState>,
    pub(crate) map_bytes: NonNull<AtomicU8>,
    pub(crate) lanes: [LaneParts; LANES],
    pub(crate) places: Places,
    reclaim: Reclaim,
    pub(crate) peaks: [Peak; CLASSES],
    /// The counters of all threads without a place.
    pub(crate) shared: SharedCounters,
    fork_mark: Option<ForkMark>,
    /// The metadata before this one on the [list](crate::lifecycle::registry) of all.
    pub(crate) older: AtomicPtr<Metadata>,
    pub(crate) recording: Option<&'static Recording>,
    /// The [`Reservation::code`](crate::stats::Reservation::code) of what became of the reservation.
    pub(crate) outcome: u64,
    /// The output for the statistics when the program exits; `None` if they are not asked for.
    pub(crate) exit_output: Option<os::ExitOutput>,
    /// The mapping of this metadata.
    pub(crate) mapping: os::Mapping,
    /// The mapping of the slots.
    pub(crate) reservation: Option<os::Mapping>,
}

/// The parts of one lane.
#[repr(C)]
pub(crate) struct LaneParts {
    pub(crate) set: SlotSet,
    /// The slab of the lane's class.
    pub(crate) slab: Slab,
    /// The index in the slab of the lane's first slot.
    pub(crate) first: usize,
}

// SAFETY: everything that changes after the metadata is published is atomic or behind the reclaim lock. Its
// pointers are to its own mapping and to mappings that are unmapped together with it, if ever.
unsafe impl Sync for Metadata {}

/// The offsets of the parts that follow the header, and the size of the mapping.
struct Parts {
    words: usize,
    thread_states: usize,
    map: usize,
    bytes: usize,
}

impl Parts {
    fn of(plan: &Plan, has_places: bool) -> Option<Self> {
        let all_words = Lane::ALL.into_iter().map(|lane| SlotSet::words_needed(plan.lane(lane).len())).sum();
        let places = if has_places { PLACES } else { 0 };
        let header = Layout::new::<Metadata>();
        let (layout, words) = header.extend(Layout::array::<AtomicU64>(all_words).ok()?).ok()?;
        let (layout, thread_states) = layout.extend(Layout::array::<ThreadState>(places).ok()?).ok()?;
        let (layout, map) = layout.extend(Layout::array::<AtomicU8>(plan.map_bytes()).ok()?).ok()?;
        Some(Self { words, thread_states, map, bytes: layout.size() })
    }
}

impl LaneParts {
    const LAYOUT: u64 = layout_of!(LaneParts { set, slab, first });
}

impl Metadata {
    const LAYOUT: u64 = layout_of!(Metadata {
        signature,
        modes,
        map,
        base,
        first_capacities,
        max_capacities,
        thread_states,
        map_bytes,
        lanes,
        places,
        reclaim,
        peaks,
        shared,
        fork_mark,
        older,
        recording,
        outcome,
        exit_output,
        mapping,
        reservation,
    });

    /// Maps and fills the metadata for `plan`, or returns `None` if there is no memory for it. Without
    /// places, threads have neither magazines nor counters of their own. The system is asked neither for a
    /// fence nor for a mark of forks then.
    ///
    /// The mapping is filled in place, piece by piece. The first allocation of a process may come on a signal
    /// stack, and the whole header at once would take 6 KiB of it.
    pub(crate) fn new(plan: &Plan, has_places: bool, source: os::Source<'_>) -> Option<NonNull<Self>> {
        let parts = Parts::of(plan, has_places)?;
        let mapping = os::map_guarded(parts.bytes, source)?;
        os::name(mapping.pages, c"framepool: metadata");
        // One huge page would make resident what start-up takes care not to touch. If the system denies this,
        // that happens.
        let _ = os::use_huge_pages(mapping.pages, false);
        let metadata = mapping.base().cast::<Self>();
        // SAFETY: a new mapping with room for all parts, page-aligned and not shared yet.
        unsafe {
            Self::fill(metadata, mapping, &parts, plan);
            (*metadata.as_ptr()).signature.fill(parts.bytes, has_places);
            Self::fill_lanes(metadata, &parts, plan);
            Self::start_places(metadata, plan, has_places);
        }
        // A thread's gate has the address of this mapping as its key, and the thread's exit makes a pointer
        // of it.
        metadata.as_ptr().expose_provenance();
        Some(metadata)
    }

    /// Writes what belongs neither to a lane nor to the places.
    ///
    /// # Safety
    ///
    /// `metadata` is a new mapping with room for `parts`, all zeros. Zeros are valid for every field that
    /// this function and the two below leave as it is.
    #[inline(never)]
    unsafe fn fill(metadata: NonNull<Self>, mapping: os::Mapping, parts: &Parts, plan: &Plan) {
        let (this, base) = (metadata.as_ptr(), mapping.base());
        // SAFETY: by contract all of this lies in the mapping.
        unsafe {
            (&raw mut (*this).map).write(SlotMap::new(ptr::null(), ptr::null_mut(), plan.granule_shift));
            (&raw mut (*this).thread_states).write(base.byte_add(parts.thread_states).cast());
            (&raw mut (*this).map_bytes).write(base.byte_add(parts.map).cast());
            (&raw mut (*this).reclaim).write(const { Reclaim::new() });
            (&raw mut (*this).peaks).write([const { Peak::new() }; CLASSES]);
            (&raw mut (*this).mapping).write(mapping);
            (&raw mut (*this).reservation).write(None);
            (&raw mut (*this).exit_output).write(None);
        }
    }

    /// Writes the sets, one after the other, with all their slots free.
    ///
    /// # Safety
    ///
    /// See [`fill`](Self::fill).
    #[inline(never)]
    unsafe fn fill_lanes(metadata: NonNull<Self>, parts: &Parts, plan: &Plan) {
        let mut next_word = parts.words;
        for lane in Lane::ALL {
            let slots = plan.lane(lane);
            // SAFETY: inside the mapping. Each set has words of its own, exactly as many as it needs, all
            // zeros, and they are there as long as this header.
            unsafe {
                let words = metadata.cast::<u8>().byte_add(next_word).cast();
                let lane_parts = &raw mut (*metadata.as_ptr()).lanes[lane.index()];
                (&raw mut (*lane_parts).set).write(SlotSet::new(words, slots.len()));
                (&raw mut (*lane_parts).slab).write(plan.classes[lane.class()].slab);
                (&raw mut (*lane_parts).first).write(slots.start);
            }
            next_word += SlotSet::words_needed(slots.len()) * size_of::<AtomicU64>();
        }
    }

    /// Writes what threads need for places and magazines. There are magazines only where the system can do
    /// all that they need.
    ///
    /// # Safety
    ///
    /// See [`fill`](Self::fill).
    #[inline(never)]
    unsafe fn start_places(metadata: NonNull<Self>, plan: &Plan, has_places: bool) {
        // A magazine must be emptied when its thread exits, revoked by a fence, and found again after a
        // `fork`.
        let may_have_magazines = has_places && !os::ExitHook::is_never() && os::can_fence_all();
        let fork_mark = if may_have_magazines { ForkMark::new() } else { None };
        let has_magazines = fork_mark.is_some();
        let this = metadata.as_ptr();
        // SAFETY: the caller's contract.
        unsafe {
            (&raw mut (*this).fork_mark).write(fork_mark);
            for lane in Lane::ALL {
                let (max, first) = if has_magazines { plan.magazine(lane) } else { (0, 0) };
                (&raw mut (*this).modes[lane.index()]).write(Mode::new(if max > 0 {
                    LaneMode::Cached
                } else {
                    LaneMode::Off
                }));
                (&raw mut (*this).first_capacities[lane.index()]).write(first);
                (&raw mut (*this).max_capacities[lane.index()]).write(max);
            }
        }
    }

    /// Returns how many slots of a lane a thread may cache before it has shown use for them.
    pub(crate) fn cold_capacity(&self, lane: Lane) -> usize {
        let first = self.first_capacities[lane.index()];
        let bytes = first * self.slot_bytes(lane);
        if bytes > MAGAZINE_COLD_BYTES { 0 } else { first }
    }

    /// Records where the slots are. To be called before any other thread knows of this metadata.
    pub(crate) fn set_reservation(&mut self, reservation: os::Mapping, plan: &Plan) {
        self.reservation = Some(reservation);
        self.base = reservation.base().as_ptr();
        self.map = SlotMap::new(self.map_bytes.as_ptr(), self.base, plan.granule_shift);
    }

    /// Returns the pointer to the start of a slot that was freed as `start`. It is derived from the
    /// reservation, as when the slot was first handed out. The freed pointer may be valid for its last
    /// owner's block only. This costs nothing: the address is the same.
    #[inline(always)]
    pub(crate) fn own_pointer(&self, start: *mut u8) -> *mut u8 {
        self.base.with_addr(start.addr())
    }

    #[inline(always)]
    pub(crate) fn slot_bytes(&self, lane: Lane) -> usize {
        self.lanes[lane.index()].slab.slot_bytes
    }

    pub(crate) fn thread_state(&self, place: usize) -> &ThreadState {
        invariant!(place < PLACES, "a place lies in the table");
        // SAFETY: `Places` hands out only places in the table. A zeroed state is valid.
        unsafe { self.thread_states.add(place).as_ref() }
    }

    /// The states of the places that ever had an owner.
    pub(crate) fn used_states(&self) -> &[ThreadState] {
        let used = self.places.used();
        invariant!(used <= PLACES, "a place lies in the table");
        // SAFETY: the table has that many states, or none was ever claimed. Zeroed states are valid, and all that
        // changes in them is atomic.
        unsafe { core::slice::from_raw_parts(self.thread_states.as_ptr(), used) }
    }

    pub(crate) fn place_of(&self, state: &ThreadState) -> usize {
        (ptr::from_ref(state).addr() - self.thread_states.addr().get()) / size_of::<ThreadState>()
    }

    pub(crate) fn pool(&self, lane: Lane) -> LanePool<'_, Self> {
        LanePool::new(self, lane)
    }
}
