//! The four pools as one: layout -> slot, address -> slot, start-up, statistics.
//!
//! Knows no fallback: it says "not from here" and the caller goes there, so no state of ours is ever held across a call into
//! it. The pools are reserved on the first allocation and never torn down. Whoever finds another thread (or the code
//! that a signal interrupted) at that goes to the fallback for this once; nobody waits.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `base`, `map` | start-up, once (Relaxed) | nothing: published by `span` and `served_below` |
//! | `state` | start-up: one CAS to `STARTING` (Acquire), then `READY` or `FAILED` (SeqCst) | nothing: it orders start-ups and switches |
//! | `served_below` | start-up, `set_enabled` (SeqCst), read Acquire by takes | `base`, `map`, `metadata` |
//! | `span` | start-up, once (Release), read Acquire by finds | `base`, `map` |
//! | `metadata` | start-up, once (Release), read Acquire | the metadata's constants |
//! | `enabled` | `set_enabled` (SeqCst) | nothing |

mod start_up;
mod warm;

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::config::{Class, Config, SLOT_STEP};
use crate::counters::{Counters, Refusal};
use crate::fatal::{self, Misuse};
use crate::metadata::Metadata;
use crate::plan::Plan;
use crate::pool::{Pool, Taken};
use crate::readiness::Readiness;
use crate::slab::Slab;
use crate::slot_map::{Slot, SlotMap};
use crate::stats::{ClassStats, Reservation, Stats};
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, SeqCst},
};
use crate::thread_record::{Own, Shared, Tally};
use crate::tunables::LINE_PAIR;

const UNTOUCHED: u8 = 0;
const STARTING: u8 = 1;
const READY: u8 = 2;
const FAILED: u8 = 3;

/// One allocator's pools. What every call reads comes first; what threads without a place write, last and apart.
#[repr(C, align(128))]
pub(crate) struct Pools {
    /// Sizes below this may be served: one more than an XLarge slot, or 0 before start-up and while switched off, so that
    /// one comparison sends both out of the way.
    served_below: AtomicUsize,
    /// Bytes of the reservation from `base` on; 0 before start-up, so that nothing looks owned.
    span: AtomicUsize,
    base: AtomicPtr<u8>,
    map: AtomicPtr<AtomicU8>,
    metadata: AtomicPtr<Metadata>,
    hardened: bool,
    zero_on_free: bool,
    /// Either of the two.
    careful: bool,
    enabled: AtomicBool,
    state: AtomicU8,
    plan: Plan,
    shared: Counters,
    readiness: Readiness,
}

const _: () = assert!(
    core::mem::offset_of!(Pools, shared).is_multiple_of(LINE_PAIR),
    "pad Pools: what threads without a place write must lie on lines of its own"
);

/// Memory that was taken from a pool just now.
pub(crate) struct Block {
    pub(crate) start: NonNull<u8>,
    pub(crate) is_clean: bool,
}

/// A live slot of ours.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    offset: usize,
    slot: Slot,
}

impl Pools {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            served_below: AtomicUsize::new(0),
            span: AtomicUsize::new(0),
            base: AtomicPtr::new(ptr::null_mut()),
            map: AtomicPtr::new(ptr::null_mut()),
            metadata: AtomicPtr::new(ptr::null_mut()),
            hardened: config.hardened,
            zero_on_free: config.zero_on_free,
            careful: config.hardened || config.zero_on_free,
            enabled: AtomicBool::new(true),
            state: AtomicU8::new(UNTOUCHED),
            plan: Plan::new(config),
            shared: Counters::new(),
            readiness: Readiness::new(config.memory),
        }
    }

    /// This thread's own counters, or `None` if it has to go the slow way: [`prepare`](Self::prepare) and
    /// [`shared`](Self::shared).
    #[inline(always)]
    pub(crate) fn own(&self) -> Option<Own<'_>> {
        Own::at(self.metadata.load(Acquire))
    }

    /// The counters for everybody.
    pub(crate) fn shared(&self) -> Shared<'_> {
        Shared(&self.shared)
    }

    /// A slot for `layout`, or `None` if the fallback has to serve it; counted either way.
    pub(crate) fn take(&self, tally: impl Tally, layout: Layout) -> Option<Block> {
        let size = layout.size();
        let mut served_below = self.served_below.load(Acquire);
        if served_below == 0 {
            match self.state.load(SeqCst) {
                UNTOUCHED | STARTING => return refuse(tally, size, |counters| &counters.starting),
                READY if self.enabled.load(SeqCst) => {
                    // Whoever changed one of the two has not said so yet, or never will: it is a thread that a `fork` left behind.
                    self.refresh_served_below();
                    served_below = self.served_below.load(Acquire);
                }
                _ => {}
            }
        }
        if served_below == 0 {
            return refuse(tally, size, |counters| &counters.disabled);
        }
        if size >= served_below {
            return refuse(tally, size, |counters| &counters.too_large);
        }
        match self.plan.classes.iter().position(|class| class.fits(layout)) {
            Some(class) if self.refuses(tally, class, size) => None,
            Some(class) => self.take_from(tally, class, size),
            None => refuse(tally, size, |counters| &counters.over_aligned),
        }
    }

    /// The class of a layout whose size is served at present and whose alignment every slot has. `None` leaves it to
    /// [`take`](Self::take).
    #[inline(always)]
    pub(crate) fn usual_class(&self, layout: Layout) -> Option<usize> {
        let size = layout.size();
        if size >= self.served_below.load(Acquire) || layout.align() > SLOT_STEP {
            return None;
        }
        let exceeds = |class: Class| (size > self.plan.classes[class as usize].slab.slot_bytes) as usize;
        Some(exceeds(Class::Small) + exceeds(Class::Medium) + exceeds(Class::Large))
    }

    /// Whether `class` has nothing for a layout of `size` bytes, found with one load and counted.
    #[inline(always)]
    pub(crate) fn refuses(&self, tally: impl Tally, class: usize, size: usize) -> bool {
        let plan = &self.plan.classes[class];
        let entitled = size >= plan.entitled_from;
        let reason = if size < plan.floor {
            Refusal::BelowFloor
        } else if !self.pool(class).set.is_exhausted(entitled) {
            return false;
        } else if entitled || plan.held == 0 {
            Refusal::Miss
        } else {
            Refusal::HeldBack
        };
        refuse(tally, size, |counters| &counters.classes[class].refused[reason as usize]);
        true
    }

    /// A slot of `class` for `size` bytes, which it did not refuse just now; counted either way.
    pub(crate) fn take_from(&self, tally: impl Tally, class: usize, size: usize) -> Option<Block> {
        // Each pass after the first means that other threads emptied the class and gave a slot back since.
        loop {
            if let Some(block) = self.take_slot(tally, class, size) {
                return Some(block);
            }
            if self.refuses(tally, class, size) {
                return None;
            }
        }
    }

    /// A slot of a smaller class than `class` for a block that shrinks, if there is one now. Only a hit is counted.
    pub(crate) fn take_smaller(&self, tally: impl Tally, layout: Layout, class: Class) -> Option<Block> {
        if layout.size() >= self.served_below.load(Acquire) {
            return None;
        }
        let smaller = self.plan.classes.iter().position(|class| class.fits(layout))?;
        let plan = &self.plan.classes[smaller];
        if smaller >= class as usize || layout.size() < plan.floor {
            return None;
        }
        self.take_slot(tally, smaller, layout.size())
    }

    /// [`take_from`](Self::take_from) where that is one atomic operation; `None` says nothing.
    #[inline(always)]
    pub(crate) fn take_quickly(&self, own: Own<'_>, class: usize, size: usize) -> Option<Block> {
        let entitled = size >= self.plan.classes[class].entitled_from;
        let taken = self.pool(class).take_quickly(entitled, own.recent(class))?;
        Some(self.count_hit(own, class, size, taken))
    }

    fn take_slot(&self, tally: impl Tally, class: usize, size: usize) -> Option<Block> {
        let taken = self.pool(class).take(size >= self.plan.classes[class].entitled_from)?;
        Some(self.count_hit(tally, class, size, taken))
    }

    #[inline(always)]
    fn count_hit(&self, tally: impl Tally, class: usize, size: usize, taken: Taken) -> Block {
        tally.count(|counters, add| {
            add(&counters.classes[class].hits, 1);
            add(&counters.classes[class].requested_bytes, size as u64);
        });
        // SAFETY: the offset of a slot in the reservation at `base`, and no reservation lies at address 0.
        let start = unsafe { NonNull::new_unchecked(Slab::pointer(self.base.load(Relaxed), taken.offset)) };
        Block { start, is_clean: taken.is_clean }
    }

    /// How far into the reservation an address lies, guards included: all that decides where a block goes back to.
    #[inline(always)]
    pub(crate) fn offset_of(&self, ptr: *const u8) -> Option<usize> {
        let span = self.span.load(Acquire);
        let offset = ptr.addr().wrapping_sub(self.base.load(Relaxed).addr());
        (offset < span).then_some(offset)
    }

    /// The live slot that starts at an offset of the reservation.
    ///
    /// Aborts if none does, or if `layout` cannot have come from it (P7).
    #[inline(always)]
    pub(crate) fn find(&self, offset: usize, layout: Layout) -> Found {
        // SAFETY: the caller has the offset from `offset_of`.
        let slot = unsafe { self.slot_map().at(offset) };
        if !slot.is_live() || !self.plan.classes[slot.class()].fits(layout) {
            self.misuse(offset, slot, layout);
        }
        Found { offset, slot }
    }

    /// Frees a slot.
    ///
    /// # Safety
    ///
    /// It was just found, and nobody uses its memory any more.
    pub(crate) unsafe fn give(&self, tally: impl Tally, found: Found) {
        let class = found.slot.class();
        // SAFETY: just found, so live, in the reservation at `base`.
        unsafe {
            let base = self.base.load(Relaxed);
            self.pool(class).give(base, found.offset, found.slot, self.zero_on_free, self.hardened);
        }
        tally.count(|counters, add| add(&counters.classes[class].returns, 1));
    }

    /// [`give`](Self::give) where that is one atomic operation; otherwise `false`, and nothing was done.
    ///
    /// # Safety
    ///
    /// As [`give`](Self::give).
    #[inline(always)]
    pub(crate) unsafe fn give_quickly(&self, own: Own<'_>, found: Found) -> bool {
        let class = found.slot.class();
        // SAFETY: just found, so live.
        let done = !self.careful
            && unsafe { self.pool(class).give_quickly(found.offset, found.slot, own.recent(class)) };
        if done {
            own.count(|counters, add| add(&counters.classes[class].returns, 1));
        }
        done
    }

    #[inline]
    pub(crate) fn class(&self, found: Found) -> Class {
        Class::ALL[found.slot.class()]
    }

    #[inline]
    pub(crate) fn slot_bytes(&self, found: Found) -> usize {
        self.plan.classes[found.slot.class()].slab.slot_bytes
    }

    /// Whether `ptr` lies in a slot, live or not.
    pub(crate) fn owns(&self, ptr: *const u8) -> bool {
        self.offset_of(ptr).and_then(|offset| self.plan.locate(offset)).is_some()
    }

    /// Bytes of the live slot that starts at `ptr`.
    pub(crate) fn usable_size(&self, ptr: *const u8) -> Option<usize> {
        let offset = self.offset_of(ptr)?;
        // SAFETY: the offset was just found to lie in the reservation.
        let slot = unsafe { self.slot_map().at(offset) };
        slot.is_live().then(|| self.slot_bytes(Found { offset, slot }))
    }

    pub(crate) fn stats(&self) -> Stats {
        let reservation = match self.state.load(Acquire) {
            READY => Reservation::Ready,
            FAILED => Reservation::Failed,
            _ => Reservation::Pending,
        };
        let mut stats = Stats { reservation, ..Stats::default() };
        self.shared.add_to(&mut stats);
        // SAFETY: null, or published by start-up for ever.
        let metadata = unsafe { self.metadata.load(Acquire).as_ref() };
        if let Some(metadata) = metadata {
            (0..metadata.places.used()).for_each(|place| metadata.record(place).counters.add_to(&mut stats));
        }
        for class in Class::ALL {
            let slab = &self.plan.classes[class as usize].slab;
            let set = metadata.map(|metadata| &metadata.sets[class as usize]);
            let sums = stats.classes[class as usize];
            stats.classes[class as usize] = ClassStats {
                slot_bytes: slab.slot_bytes as u64,
                slots: slab.slots as u64,
                in_use: set.map_or(0, |set| set.in_use() as u64),
                peak: set.map_or(0, |set| set.peak() as u64),
                ..sums
            };
        }
        stats
    }

    /// The pools are ready.
    #[inline(always)]
    fn pool(&self, class: usize) -> Pool<'_> {
        // SAFETY: published before any slot could be taken or found, and never unmapped.
        let metadata = unsafe { &*self.metadata.load(Relaxed) };
        Pool { class, slab: &self.plan.classes[class].slab, set: &metadata.sets[class], map: self.slot_map() }
    }

    #[inline(always)]
    fn slot_map(&self) -> SlotMap {
        SlotMap { bytes: self.map.load(Relaxed), granule_shift: self.plan.granule_shift }
    }

    /// Finds out what is wrong with a pointer or its layout, says so, and ends the process.
    #[cold]
    #[inline(never)]
    fn misuse(&self, offset: usize, slot: Slot, layout: Layout) -> ! {
        let address = self.base.load(Relaxed).addr() + offset;
        let Some((class, index, bytes_in)) = self.plan.locate(offset) else { fatal::not_a_slot(address) };
        let what = match (bytes_in, slot) {
            (1.., _) => Misuse::Interior(bytes_in),
            (_, slot) if slot.is_unknown() => Misuse::NeverHandedOut,
            (_, slot) if !slot.is_live() => Misuse::DoubleFree,
            _ => Misuse::WrongLayout(layout.size(), layout.align()),
        };
        fatal::misuse(what, class, index, address)
    }
}

/// Counts a request that the fallback has to serve.
#[inline(always)]
fn refuse(tally: impl Tally, size: usize, reason: impl Fn(&Counters) -> &AtomicU64) -> Option<Block> {
    tally.count(|counters, add| {
        add(reason(counters), 1);
        add(&counters.fallback_bytes, size as u64);
    });
    None
}

#[cfg(all(test, unix, not(framepool_os = "none")))]
mod tests;
