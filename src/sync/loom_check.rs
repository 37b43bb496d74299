//! How the model checker is run, and what it watches in a slot. What it checks is in `loom_tests.rs`, and beside what is checked alone.

use loom::cell::UnsafeCell;

/// Runs `threads` in every way in which they are interrupted at most `switches` times against their will.
pub(crate) fn check(switches: impl Into<Option<usize>>, threads: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = switches.into();
    model.max_branches = 10_000;
    model.check(threads);
}

/// Of a slot: who has it. Not atomic, so loom finds whoever has it without knowing all that the last owner did.
pub(crate) struct Content(UnsafeCell<u32>);

/// In the slots that nobody has.
const NO_OWNER: u32 = 0;

// SAFETY: loom checks each access.
unsafe impl Sync for Content {}

impl Content {
    pub(crate) fn free() -> Self {
        Self(UnsafeCell::new(NO_OWNER))
    }

    /// To be called by who took the slot.
    pub(crate) fn write(&self, id: u32) {
        self.change(NO_OWNER, id);
    }

    /// To be called by who is going to give the slot.
    pub(crate) fn wipe(&self, id: u32) {
        self.change(id, NO_OWNER);
    }

    /// To be called by who knows that it was written.
    pub(crate) fn read(&self, id: u32) {
        // SAFETY: loom stops the test if anybody may write to it now.
        assert_eq!(self.0.with(|content| unsafe { *content }), id);
    }

    fn change(&self, from: u32, to: u32) {
        // SAFETY: loom stops the test if anybody else may be at it.
        let before = self.0.with_mut(|content| unsafe { content.replace(to) });
        assert_eq!(before, from, "two have this slot");
    }
}
