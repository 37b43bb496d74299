//! How the model checker is run, and what it watches in a slot. The tests are in `loom_tests.rs`, and in
//! `model.rs` beside a module that is checked alone.

use loom::cell::UnsafeCell;

/// Runs `threads` in every interleaving with at most `switches` preemptions, or in all if that is `None`.
pub(crate) fn check(switches: impl Into<Option<usize>>, threads: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = switches.into();
    model.max_branches = 10_000;
    model.check(threads);
}

/// The number of a slot's owner. It is not atomic. So loom fails a test if a thread accesses it without
/// having seen all that the last owner did.
pub(crate) struct Content(UnsafeCell<u32>);

/// The number in a free slot.
const NO_OWNER: u32 = 0;

// SAFETY: loom checks each access.
unsafe impl Sync for Content {}

impl Content {
    pub(crate) fn free() -> Self {
        Self(UnsafeCell::new(NO_OWNER))
    }

    /// Stores the owner's number. Called by the thread that took the slot.
    pub(crate) fn write(&self, id: u32) {
        self.change(NO_OWNER, id);
    }

    /// Removes the owner's number. Called by the thread that is about to give the slot.
    pub(crate) fn wipe(&self, id: u32) {
        self.change(id, NO_OWNER);
    }

    /// Checks the owner's number. Called by a thread that has seen it written.
    pub(crate) fn read(&self, id: u32) {
        // SAFETY: loom stops the test if another thread may write to it now.
        assert_eq!(self.0.with(|content| unsafe { *content }), id);
    }

    fn change(&self, from: u32, to: u32) {
        // SAFETY: loom stops the test if another thread may access it now.
        let before = self.0.with_mut(|content| unsafe { content.replace(to) });
        assert_eq!(before, from, "two threads have this slot");
    }
}
