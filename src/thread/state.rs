//! A thread's place: its own magazines and counters, from its first use of an allocator to its exit.
//!
//! Places lie in a table in the metadata, which is never unmapped, so a place may outlive everything else. A
//! thread has one place, with the first allocator that it uses. With any other allocator, and while it has no
//! place, it uses the sets and the shared counters. It has no place
//!
//! - when the table is full (where the system cannot mark memory for `fork`, the child's is as full as its
//!   parent's);
//! - on systems without a way to learn of a thread's exit;
//! - [inside a fallback](crate::thread::nested);
//! - after its own exit has begun.
//!
//! A `const` thread-local without `Drop` leads to a thread's place. It allocates nothing, and works at any
//! time of a thread's life. The exit is the destructor of a pthread key, because registering a thread-local's
//! `Drop` allocates. The [`Gate`] says in one word whose the place is and whether its owner is inside.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `gate`, magazines | see [`magazine`](crate::magazine) | |
//! | who has which place | see [`places`](crate::thread::places) | |
//! | `owner` | see [`orphans`](crate::lifecycle::orphans) | |

use crate::layout::{layout_of, mix_all};
use crate::magazine::Magazine;
use crate::magazine::gate::Gate;
use crate::slots::lane::{LANES, Lane};
use crate::stats::counters::{Counters, LaneCounters};
use crate::stats::refused::RefusedBySize;
use crate::sync::AtomicU64;

/// One place of the table.
#[repr(C, align(128))]
pub(crate) struct ThreadState {
    /// The gate. Its key is the address of the metadata.
    gate: Gate,
    /// The owner's number from [`os::this_thread`](crate::os::this_thread), or that of a thread that
    /// [asks](crate::lifecycle::orphans) about the owner; 0 if there is neither.
    pub(crate) owner: AtomicU64,
    counters: Counters,
    lanes: [LaneState; LANES],
    /// Counted only by slow paths, and not touched before the first such count.
    refused: RefusedBySize,
}

/// The part of a place that a hit in one lane touches.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(128)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(align(512)))]
struct LaneState {
    counters: LaneCounters,
    magazine: Magazine,
}

const _: () =
    assert!(size_of::<LaneState>() == 512, "make LaneState a power of two: it is indexed on each hit");
const _: () = assert!(
    cfg!(not(target_pointer_width = "64")) || size_of::<ThreadState>() == 384 + LANES * 512 + 1792,
    "correct the cost of a place in tunables.rs, and this"
);

impl ThreadState {
    pub(crate) const LAYOUT: u64 = mix_all(&[
        layout_of!(ThreadState { gate, owner, counters, lanes, refused }),
        layout_of!(LaneState { counters, magazine }),
        size_of::<Gate>() as u64,
    ]);

    /// A stand-in for threads without a place. Nothing is ever counted or cached in it, because no allocator
    /// has its key.
    pub(super) const fn stand_in(key: usize) -> Self {
        Self {
            gate: Gate::new(key),
            owner: AtomicU64::new(0),
            counters: Counters::new(),
            lanes: [const { LaneState { counters: LaneCounters::new(), magazine: Magazine::new() } }; LANES],
            refused: RefusedBySize::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    #[inline(always)]
    pub(crate) fn magazine(&self, lane: Lane) -> &Magazine {
        &self.lanes[lane.index()].magazine
    }

    #[inline(always)]
    pub(crate) fn lane_counters(&self, lane: Lane) -> &LaneCounters {
        &self.lanes[lane.index()].counters
    }

    #[inline(always)]
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn refused(&self) -> &RefusedBySize {
        &self.refused
    }
}
