//! The pools of one allocator of a process: their figures, read anew at each call.

use core::fmt;
use core::mem::offset_of;
use core::ops::Range;

use crate::advice::{self, Advice};
use crate::inspect::error::Error;
use crate::inspect::memory::{self, Memory, Plain};
use crate::inspect::signature::Found;
use crate::memory::residency::Residency;
use crate::metadata::figures::{Figures, add_table_to};
use crate::metadata::slot_state::SlotState;
use crate::metadata::{LaneParts, Metadata};
use crate::os;
use crate::slots::class::{CLASSES, Class};
use crate::slots::lane::{LANES, Lane};
use crate::slots::slot_map::{SlotMap, SlotTag};
use crate::slots::slot_set::{MAX_SLOTS, SlotSet};
use crate::stats::counters::SharedCounters;
use crate::stats::level::Level;
use crate::stats::peak::Peak;
use crate::stats::recording::Recording;
use crate::stats::{ClassStats, Reservation, Stats};
use crate::thread::places::Places;
use crate::thread::state::ThreadState;
use crate::tunables::{GUARD_BYTES, PLACES};

/// The number of times that figures are read which contradict each other.
const TRIES: usize = 5;

/// The pools of an allocator in another process.
#[derive(Clone)]
pub struct Allocator<'a> {
    memory: &'a dyn Memory,
    pid: u32,
    found: Found,
}

/// The type that pools belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A [`PoolAlloc`](crate::PoolAlloc): in most programs the global allocator.
    PoolAlloc,
    /// A [`BufferPool`](crate::BufferPool).
    BufferPool,
}

impl Kind {
    /// Returns the type's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::PoolAlloc => "PoolAlloc",
            Kind::BufferPool => "BufferPool",
        }
    }
}

/// Writes the type of the allocator, and the address of its metadata: `PoolAlloc at 0x7f12a0001000`.
impl fmt::Display for Allocator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}", self.kind().name(), self.address())
    }
}

impl fmt::Debug for Allocator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allocator").field("pid", &self.pid).field("found", &self.found).finish()
    }
}

impl<'a> Allocator<'a> {
    pub(super) fn new(memory: &'a dyn Memory, pid: u32, found: Found) -> Self {
        Self { memory, pid, found }
    }

    /// Returns the type that the pools belong to.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.found.is_program { Kind::PoolAlloc } else { Kind::BufferPool }
    }

    /// Returns the address of the pools' metadata in the process: it tells two allocators of one process apart.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.found.addresses.start
    }

    /// Returns a snapshot of the statistics.
    ///
    /// It is what [`PoolAlloc::stats`](crate::PoolAlloc::stats) would return in the process, without requests from before the
    /// pools were reserved. Such a snapshot has no [`advice`](Stats::advice): that is [here](Self::advice).
    ///
    /// # Errors
    ///
    /// The process has ended, the pools are gone, or the figures contradict each other each time they are read.
    pub fn stats(&self) -> Result<Stats, Error> {
        until_whole(|| self.stats_once())
    }

    /// Returns the state of each slot of a class, lowest address first. Empty if the pools have no memory.
    ///
    /// # Errors
    ///
    /// As [`stats`](Self::stats).
    pub fn slot_states(&self, class: Class) -> Result<Vec<SlotState>, Error> {
        until_whole(|| self.slot_states_once(class))
    }

    /// Returns what memory the slots have, as the kernel says. What was requested of it, and denied, is not known.
    ///
    /// # Errors
    ///
    /// As [`stats`](Self::stats), and if the kernel shows less of the process than its memory.
    pub fn residency(&self) -> Result<Residency, Error> {
        let lanes = until_whole(|| self.lanes())?;
        let Some(base) = self.base()? else { return Ok(Residency::default()) };
        let slabs = Class::ALL.map(|class| &lanes[Lane::new(class as usize, true).index()].slab);
        let end = slabs.iter().map(|slab| slab.offset + slab.bytes()).max().unwrap_or(0);
        let end = base.checked_add(end.next_multiple_of(GUARD_BYTES)).ok_or(self.torn())?;
        let figures = os::page_figures_of(self.pid, base..end)
            .map_err(|denied| Error::System { pid: self.pid, reason: denied.to_error().to_string() })?;
        // The number may be another process's by now. The memory is this one's.
        self.memory.read(self.address(), &mut [0])?;
        let whole_pages = |bytes: usize| bytes.next_multiple_of(os::page_bytes()) as u64;
        Ok(Residency {
            reserved_bytes: slabs.iter().map(|slab| whole_pages(slab.bytes())).sum(),
            resident_bytes: figures.resident,
            huge_bytes: figures.huge,
            locked_bytes: figures.locked,
            huge_page_bytes: os::huge_page_bytes(),
            ..Residency::default()
        })
    }

    /// Returns the findings of a recording, and a better table: see [`Stats::advice`].
    ///
    /// Allocates 200 KiB. The time that the recording took is not known.
    ///
    /// # Errors
    ///
    /// As [`stats`](Self::stats), and if the process does not record.
    pub fn advice(&self) -> Result<Advice, Error> {
        let address = self.recording()?.ok_or(Error::NotRecorded(self.pid))?;
        let recording = until_whole(|| {
            let recording = memory::read::<Recording>(self.memory, address)?;
            if recording.is_plausible() { Ok(recording) } else { Err(self.torn()) }
        })?;
        Ok(advice::advise(&recording, &self.stats()?, None))
    }

    /// The error of figures that contradict each other.
    fn torn(&self) -> Error {
        Error::Torn(self.pid)
    }

    /// Bytes of the metadata.
    #[cfg(any(fuzzing, test))]
    pub(super) fn bytes(&self) -> usize {
        (self.found.addresses.end - self.found.addresses.start) as usize
    }

    /// Returns the address and the bytes of the recording, if there is one.
    #[cfg(any(fuzzing, test))]
    pub(super) fn recording_bytes(&self) -> Result<Option<(u64, usize)>, Error> {
        Ok(self.recording()?.map(|address| (address, size_of::<Recording>())))
    }

    /// Reads a page. If that cannot be done, the page stays as it is.
    #[cfg(any(fuzzing, test))]
    pub(super) fn read_page(&self, address: u64, page: &mut [u8]) {
        let _ = self.memory.read(address, page);
    }

    fn stats_once(&self) -> Result<Stats, Error> {
        let outcome = self.field::<u64>(offset_of!(Metadata, outcome))?;
        let reservation = Reservation::from_code(*outcome).ok_or(self.torn())?;
        let lanes = self.lanes()?;
        let peaks = self.field::<[Peak; CLASSES]>(offset_of!(Metadata, peaks))?;
        let demand = self.demand()?;
        let mut stats = Stats { reservation, ..Stats::default() };
        // All hits before all returns, which may be in the states of other threads: so the states are read twice.
        let hits = self.counters()?.figures().hits();
        let counters = self.counters()?;
        for (class, hits) in stats.classes.iter_mut().zip(hits) {
            class.hits = hits;
        }
        counters.figures().add_to(&mut stats);
        counters.figures().add_sizes_to(&mut stats);
        let is_plausible = stats.is_plausible();
        add_table_to(&mut stats, &lanes, &peaks, |class| demand[class]);
        let fits = |class: ClassStats| class.in_use <= class.slots && class.peak <= class.slots;
        if is_plausible && stats.classes.into_iter().all(fits) { Ok(stats) } else { Err(self.torn()) }
    }

    fn slot_states_once(&self, class: Class) -> Result<Vec<SlotState>, Error> {
        let lanes = self.lanes()?;
        let mut states = Vec::new();
        if self.base()?.is_none() {
            return Ok(states);
        }
        let map = self.field::<SlotMap>(offset_of!(Metadata, map))?;
        let map_bytes = *self.field::<usize>(offset_of!(Metadata, map_bytes))? as u64;
        let mut tags = Tags { allocator: self, from: 0, bytes: Vec::new() };
        for lane in [Lane::new(class as usize, false), Lane::new(class as usize, true)] {
            let parts = &lanes[lane.index()];
            let words = self.words(parts)?;
            for index in 0..parts.set.slots() {
                if words[index / 64] >> (index % 64) & 1 != 0 {
                    states.push(SlotState::Free);
                    continue;
                }
                let offset = parts.slab.offset + (parts.first + index) * parts.slab.slot_bytes;
                let granule = map.granule_of(offset).ok_or(self.torn())?;
                let tag = tags.at(map_bytes.checked_add(granule as u64).ok_or(self.torn())?)?;
                states.push(SlotState::of_taken(tag));
            }
        }
        Ok(states)
    }

    /// Returns the words of a lane's set, a bit for each slot.
    fn words(&self, parts: &LaneParts) -> Result<Vec<u64>, Error> {
        match parts.set.words_address() {
            0 => Ok(vec![parts.set.level()]),
            address => self.slice::<u64>(address as u64, SlotSet::words_needed(parts.set.slots())),
        }
    }

    /// Returns the lanes, which are such as a plan has them.
    fn lanes(&self) -> Result<Box<[LaneParts; LANES]>, Error> {
        let lanes = self.field::<[LaneParts; LANES]>(offset_of!(Metadata, lanes))?;
        let is_class = |class: Class| {
            let [open, held_back] = [false, true].map(|held| &lanes[Lane::new(class as usize, held).index()]);
            let slab = &held_back.slab;
            let end =
                slab.slot_bytes.checked_mul(slab.slots).and_then(|bytes| bytes.checked_add(slab.offset));
            (1..=MAX_SLOTS).contains(&slab.slots)
                && end.is_some_and(|end| end <= isize::MAX as usize / 2)
                && open.set.slots().checked_add(held_back.set.slots()) == Some(slab.slots)
                && (open.first, held_back.first) == (0, open.set.slots())
                && [open, held_back].iter().all(|lane| {
                    (lane.set.words_address() != 0) == (SlotSet::words_needed(lane.set.slots()) > 0)
                        && (lane.slab.offset, lane.slab.slot_bytes) == (slab.offset, slab.slot_bytes)
                })
        };
        if Class::ALL.into_iter().all(is_class) { Ok(lanes) } else { Err(self.torn()) }
    }

    /// Returns a copy of the counters of all threads.
    fn counters(&self) -> Result<Counters, Error> {
        let used = self.field::<Places>(offset_of!(Metadata, places))?.used();
        if used > PLACES {
            return Err(self.torn());
        }
        let address = *self.field::<usize>(offset_of!(Metadata, thread_states))? as u64;
        let states = if used == 0 { Vec::new() } else { self.slice::<ThreadState>(address, used)? };
        Ok(Counters { states, shared: self.field(offset_of!(Metadata, shared))? })
    }

    /// Returns the address of the recording, if there is one.
    fn recording(&self) -> Result<Option<u64>, Error> {
        let address = *self.field::<usize>(offset_of!(Metadata, recording))? as u64;
        address.checked_add(size_of::<Recording>() as u64).ok_or(self.torn())?;
        Ok((address != 0).then_some(address))
    }

    /// Returns the maximum number of blocks that each class had at once, or would have had. 0 without a recording.
    fn demand(&self) -> Result<[usize; CLASSES], Error> {
        let Some(recording) = self.recording()? else { return Ok([0; CLASSES]) };
        let demand = memory::read::<[Level; CLASSES]>(self.memory, recording + Recording::DEMAND as u64)?;
        Ok(demand.each_ref().map(Level::max))
    }

    /// Returns the address of the slots, if they have memory.
    fn base(&self) -> Result<Option<usize>, Error> {
        let base = *self.field::<usize>(offset_of!(Metadata, base))?;
        Ok((base != 0).then_some(base))
    }

    /// Reads a field of the metadata.
    fn field<T: Plain>(&self, offset: usize) -> Result<Box<T>, Error> {
        memory::read(self.memory, self.inside(self.address() + offset as u64, size_of::<T>())?)
    }

    /// Reads values that lie side by side in the metadata.
    fn slice<T: Plain>(&self, address: u64, count: usize) -> Result<Vec<T>, Error> {
        memory::read_slice(self.memory, self.inside(address, count * size_of::<T>())?, count)
    }

    /// Returns the address, if that many bytes there lie in the metadata.
    fn inside(&self, address: u64, bytes: usize) -> Result<u64, Error> {
        let Range { start, end } = self.found.addresses;
        let is_inside = address >= start && address.checked_add(bytes as u64).is_some_and(|to| to <= end);
        if is_inside { Ok(address) } else { Err(self.torn()) }
    }
}

/// Reads until the figures do not contradict each other, [`TRIES`] times at most.
fn until_whole<T>(read: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let mut outcome = read();
    for _ in 1..TRIES {
        let Err(Error::Torn(_)) = outcome else { break };
        outcome = read();
    }
    outcome
}

/// A copy of the counters of all threads.
struct Counters {
    states: Vec<ThreadState>,
    shared: Box<SharedCounters>,
}

impl Counters {
    fn figures(&self) -> Figures<'_> {
        Figures { states: &self.states, shared: &self.shared }
    }
}

/// The bytes of the slot map, read in pieces: those of small slots lie side by side.
struct Tags<'a> {
    allocator: &'a Allocator<'a>,
    from: u64,
    bytes: Vec<u8>,
}

impl Tags<'_> {
    /// The number of bytes that are read at once.
    const PIECE: u64 = 256;

    fn at(&mut self, address: u64) -> Result<SlotTag, Error> {
        self.allocator.inside(address, 1)?;
        let index = |from: u64| address.checked_sub(from).filter(|&index| index < Self::PIECE);
        let known = index(self.from).and_then(|index| self.bytes.get(index as usize));
        if let Some(&tag) = known {
            return Ok(SlotTag::from_byte(tag));
        }
        let end = self.allocator.found.addresses.end.min(address.saturating_add(Self::PIECE));
        self.bytes = self.allocator.slice::<u8>(address, (end - address) as usize)?;
        self.from = address;
        Ok(SlotTag::from_byte(self.bytes[0]))
    }
}
