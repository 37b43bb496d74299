//! How a [`Recording`] sees each request and each free, at no cost to the fast path of a run without one.
//!
//! During a recording, threads have no places and no size has a route, so every allocation takes the slow
//! path. All addresses look like the pools' own at first, so every free takes the slow path too. The slow
//! paths call the functions here.

use core::alloc::Layout;

use super::Pools;
use crate::slots::lane::Lane;
use crate::stats::recording::Recording;

impl Pools {
    #[inline]
    fn recording(&self) -> Option<&'static Recording> {
        self.metadata_cell.get().and_then(|metadata| metadata.recording)
    }

    #[inline]
    pub(crate) fn is_recording(&self) -> bool {
        self.recording().is_some()
    }

    /// Runs `alloc`, records its request, and returns its result: a block of this layout, or null.
    ///
    /// A request that `is_in_fallback` asks nothing of the pools, so it makes no demand on a class.
    #[inline]
    pub(crate) fn recorded(
        &self,
        layout: Layout,
        is_in_fallback: bool,
        alloc: impl FnOnce() -> *mut u8,
    ) -> *mut u8 {
        let Some(recording) = self.recording() else { return alloc() };
        recording.cost.step(|| recording.begin(layout));
        let ptr = alloc();
        recording.cost.step(|| {
            if ptr.is_null() {
                recording.end(layout);
            } else {
                recording.found(layout, self.class_in_demand(ptr, layout, is_in_fallback));
            }
        });
        ptr
    }

    /// Runs `free`, which gives back a block of this layout, and records it.
    #[inline]
    pub(crate) fn recorded_free(
        &self,
        ptr: *mut u8,
        layout: Layout,
        is_in_fallback: bool,
        free: impl FnOnce(),
    ) {
        let Some(recording) = self.recording() else { return free() };
        recording.cost.step(|| recording.vacate(self.class_in_demand(ptr, layout, is_in_fallback)));
        free();
        recording.cost.step(|| recording.end(layout));
    }

    /// Records that the block `old` became the block `new`.
    #[cold]
    pub(crate) fn record_resize(&self, old: (*mut u8, Layout), new: (*mut u8, Layout), is_in_fallback: bool) {
        if let Some(recording) = self.recording() {
            recording.cost.step(|| {
                let classes =
                    [old, new].map(|(ptr, layout)| self.class_in_demand(ptr, layout, is_in_fallback));
                recording.resize(old.1, new.1);
                // The new class comes first. In between, the block counts in both classes and never in none.
                if classes[0] != classes[1] {
                    recording.occupy(classes[1]);
                    recording.vacate(classes[0]);
                }
            });
        }
    }

    /// Returns the class of the slot that a block has, or would have if there were enough slots; `None` if it
    /// bypasses the pools.
    fn class_in_demand(&self, ptr: *mut u8, layout: Layout, is_in_fallback: bool) -> Option<usize> {
        if self.is_ours(ptr) {
            return Some(self.tag_at(ptr.addr()).lane().class());
        }
        if is_in_fallback || !self.is_serving() {
            return None;
        }
        self.lane_for(layout).ok().filter(|lane| lane.is_held_back()).map(Lane::class)
    }
}
