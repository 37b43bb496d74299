//! One pool of a baseline, without a lock: a slab of slots, a node for each slot, and a linked list of the
//! free ones.
//!
//! A take pops the list's head and a give pushes the slot back. The slot that was freed last therefore goes
//! out next, still in the cache. Both cost a handful of loads and stores, in the best and in the worst case.

use std::alloc::{GlobalAlloc, Layout, System, handle_alloc_error};
use std::iter::Sum;

/// The addresses of one pool. They never change, so a thread reads them without a lock.
#[derive(Clone, Copy)]
pub(crate) struct Slab {
    base: *mut u8,
    slot_shift: u32,
    slots: usize,
}

// SAFETY: a slab is an address and two numbers. Only the thread that took a slot, under its pool's lock,
// touches the slot's memory.
unsafe impl Send for Slab {}
// SAFETY: as for `Send`; none of the methods writes anything.
unsafe impl Sync for Slab {}

impl Slab {
    /// Reserves `slots` slots of `slot_bytes`, a power of two, aligned to their size. Pages become resident
    /// when they are first touched, as in any large block of `System`.
    pub(crate) fn reserve(slot_bytes: usize, slots: usize) -> Self {
        let layout =
            Layout::from_size_align(slot_bytes * slots, slot_bytes).expect("the table is a constant");
        // SAFETY: no class of the table is empty.
        let base = unsafe { System.alloc(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        Self { base, slot_shift: slot_bytes.trailing_zeros(), slots }
    }

    /// Returns the index of the slot that `block` lies in, if it lies in this slab.
    pub(crate) fn index_of(&self, block: *mut u8) -> Option<usize> {
        let index = block.addr().wrapping_sub(self.base.addr()) >> self.slot_shift;
        (index < self.slots).then_some(index)
    }

    /// Returns the address of a slot.
    pub(crate) fn slot(&self, index: usize) -> *mut u8 {
        self.base.wrapping_add(index << self.slot_shift)
    }
}

/// A slot's entry in the list.
struct Node {
    in_use: bool,
    next: Option<u32>,
}

/// The counts of a pool since it was made, kept under its lock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Requests that got a slot.
    pub(crate) hits: u64,
    /// Requests that found every slot in use.
    pub(crate) misses: u64,
    /// Slots in use now.
    pub(crate) in_use: u64,
    /// The maximum of slots in use at once. In a sum of several pools, the sum of their maxima.
    pub(crate) peak: u64,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            hits: sum.hits + one.hits,
            misses: sum.misses + one.misses,
            in_use: sum.in_use + one.in_use,
            peak: sum.peak + one.peak,
        })
    }
}

/// The slots of one class. Callers reach a pool through a lock.
pub(crate) struct Pool {
    nodes: Box<[Node]>,
    free: Option<u32>,
    counts: Counts,
}

impl Pool {
    /// A pool of all slots of `slab`, all free, the lowest first in the list.
    pub(crate) fn new(slab: Slab) -> Self {
        let slots = u32::try_from(slab.slots).expect("the table is a constant");
        let next = |index| (index + 1 < slots).then_some(index + 1);
        let nodes = (0..slots).map(|index| Node { in_use: false, next: next(index) }).collect();
        Self { nodes, free: Some(0), counts: Counts::default() }
    }

    /// Takes a free slot and returns its index, or counts a miss.
    pub(crate) fn take(&mut self) -> Option<usize> {
        let Some(index) = self.free else {
            self.counts.misses += 1;
            return None;
        };
        let node = &mut self.nodes[index as usize];
        node.in_use = true;
        self.free = node.next;
        self.counts.hits += 1;
        self.counts.in_use += 1;
        self.counts.peak = self.counts.peak.max(self.counts.in_use);
        Some(index as usize)
    }

    /// Gives a slot back. Aborts on a double free.
    pub(crate) fn give(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if !node.in_use {
            double_free(index);
        }
        node.in_use = false;
        node.next = self.free;
        self.free = Some(index as u32);
        self.counts.in_use -= 1;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }
}

#[cold]
fn double_free(index: usize) -> ! {
    eprintln!("baseline: double free of slot {index}");
    std::process::abort();
}
