//! A thread's place, from claim to exit: how the thread gets it, and how it leaves it.
//!
//! The exit is the destructor of a pthread key, because registering a thread-local's `Drop` allocates.

use core::ptr::{NonNull, with_exposed_provenance};

use crate::lifecycle::orphans;
use crate::magazine::reclaim::MagazineStore;
use crate::metadata::Metadata;
use crate::os;
use crate::slots::lane::Lane;
use crate::sync::Ordering::Relaxed;
use crate::thread::current::{self, OwnState};
use crate::thread::section::Section;
use crate::thread::state::ThreadState;

/// Gives this thread a place at `metadata` if it may have one and has none with any allocator.
pub(crate) fn bind(metadata: &'static Metadata, exit_hook: fn() -> Option<os::ExitHook>) {
    if !current::is_unbound() {
        return;
    }
    // If a thread allocates before the constructor has run, or in an unsettled child, it may try again later.
    let Some(exit_hook) = exit_hook() else { return };
    if !metadata.settle_after_fork() {
        return;
    }
    let Some(may_claim) = current::begin_to_bind() else { return };
    if may_claim {
        let section = Section::enter(metadata.key());
        claim(metadata, exit_hook);
        drop(section);
        // A signal handler may have forked in the section.
        metadata.settle_after_fork();
    }
    current::resume();
}

/// Claims a free place, or a dead thread's, for this thread, if its exit can be watched.
fn claim(metadata: &'static Metadata, exit_hook: os::ExitHook) {
    let this_thread = os::this_thread();
    let set_up = |place| {
        let state = metadata.thread_state(place);
        for lane in Lane::ALL {
            state.magazine(lane).reset(metadata.cold_capacity(lane));
        }
        state.owner.store(this_thread, Relaxed);
        state.gate().set(metadata.key());
    };
    let free = metadata.places.claim(set_up);
    let Some(place) = free.or_else(|| orphans::adopt(metadata, this_thread, set_up)) else { return };
    let state = metadata.thread_state(place);
    if exit_hook.watch_this_thread(NonNull::from(state).cast()) {
        // SAFETY: the place was just claimed for this thread.
        unsafe { current::set_own_state(state) };
    } else {
        metadata.release_place(state);
    }
}

/// The destructor of the pthread key: empties the magazines of the exiting thread, and gives its place,
/// counts included, to the next one.
///
/// # Safety
///
/// `state` is what [`claim`] passed to `watch_this_thread` on this thread.
pub(super) unsafe extern "C" fn on_thread_exit(state: *mut core::ffi::c_void) {
    // Destructors that run after this one may allocate and free. They use the sets and the shared counters.
    // SAFETY: by contract a place in a table that is never unmapped.
    let state = unsafe { &*state.cast::<ThreadState>() };
    // SAFETY: by contract this thread claimed the place. It is released below.
    let own = unsafe { OwnState::hidden(state) };
    let address = state.gate().key();
    // SAFETY: `claim` made the address of this place's metadata the key.
    let metadata = unsafe { &*with_exposed_provenance::<Metadata>(address) };
    let section = Section::enter(address);
    current::forget_own_state();
    for lane in Lane::ALL {
        metadata.pool(lane).empty_own_magazine(own);
    }
    // If a signal handler ended the thread inside, its magazine may be half moved. Then no other thread gets
    // the place.
    if state.gate().abandon_unless_open(address) {
        metadata.release_place(state);
    } else {
        state.owner.store(0, Relaxed);
    }
    drop(section);
    // A signal handler may have forked in the section.
    metadata.settle_after_fork();
}
