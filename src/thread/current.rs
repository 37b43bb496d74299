//! The calling thread's own place: found, entered, and hidden from its requests.

use core::ptr::{from_ref, null_mut};

use super::state::ThreadState;
use crate::magazine::Magazine;
use crate::os::local::thread_value;
use crate::slots::lane::Lane;
use crate::stats::counters::{Counters, LaneCounters};
use crate::stats::refused::RefusedBySize;
use crate::sync::{AtomicBool, AtomicPtr, Ordering::Relaxed, light_fence};

/// A stand-in for no place yet: the next slow path claims one.
static NOT_YET_BOUND: ThreadState = ThreadState::stand_in(1);
/// A stand-in for no place now. The thread is claiming one, got none, is past its exit, or is [inside
/// a fallback](super::nested).
static NO_PLACE: ThreadState = ThreadState::stand_in(2);

thread_value! {
    /// The state that requests look at; never null. It is atomic because signal handlers on the same thread
    /// write it too. Relaxed is enough, because no other thread does.
    static STATE: AtomicPtr<ThreadState> = const { AtomicPtr::new(from_ref(&NOT_YET_BOUND).cast_mut()) };
    /// The thread's binding, whether `STATE` shows it or not. Its fields are atomic for the same reason.
    static BINDING: Binding = const { Binding { own: AtomicPtr::new(null_mut()), is_bound: AtomicBool::new(false) } };
}

/// The binding of a thread to the table of places.
struct Binding {
    /// The thread's place, from the claim to the exit.
    own: AtomicPtr<ThreadState>,
    /// Whether the thread has had its one chance to get a place.
    is_bound: AtomicBool,
}

impl Binding {
    /// Returns the state that requests may look at while the thread is inside no fallback.
    fn visible(&self) -> *mut ThreadState {
        let own = self.own.load(Relaxed);
        if !own.is_null() {
            own
        } else if self.is_bound.load(Relaxed) {
            from_ref(&NO_PLACE).cast_mut()
        } else {
            from_ref(&NOT_YET_BOUND).cast_mut()
        }
    }
}

#[inline(always)]
fn current_state() -> &'static ThreadState {
    let state = STATE.with(|state| state.load(Relaxed));
    // SAFETY: one of the stand-ins, or a place in a table. None of these is ever unmapped.
    unsafe { &*state }
}

/// Hides this thread's place from its requests until [`resume`].
pub(super) fn suspend() {
    STATE.with(|state| state.store(from_ref(&NO_PLACE).cast_mut(), Relaxed));
}

/// Shows this thread's place to its requests.
///
/// A signal handler may bind the thread between the look-up and the store. Then requests see no place until
/// the next slow path, which resumes again.
pub(crate) fn resume() {
    let visible = BINDING.with(Binding::visible);
    STATE.with(|state| state.store(visible, Relaxed));
}

/// Returns this thread's place, hidden or not; null if it has none.
pub(crate) fn own_state() -> *const ThreadState {
    BINDING.with(|binding| binding.own.load(Relaxed))
}

/// Whether this thread may still get a place, as far as its requests can see.
pub(crate) fn is_unbound() -> bool {
    core::ptr::eq(current_state(), &NOT_YET_BOUND)
}

/// Takes this thread's one chance to get a place, and returns whether it still had that chance.
///
/// `None` if another claim on this thread came first: one that this call interrupts, or that of a signal
/// handler that interrupted this call. After `Some`, the caller must [`resume`].
pub(crate) fn begin_to_bind() -> Option<bool> {
    let not_yet_bound = from_ref(&NOT_YET_BOUND).cast_mut();
    let no_place = from_ref(&NO_PLACE).cast_mut();
    // One step: of a thread and the handlers that interrupt it, only one goes on to claim a place.
    STATE.with(|state| state.compare_exchange(not_yet_bound, no_place, Relaxed, Relaxed)).ok()?;
    light_fence();
    let was_bound = BINDING.with(|binding| binding.is_bound.swap(true, Relaxed));
    Some(!was_bound)
}

/// Gives this thread a place. Its requests see the place after [`resume`].
///
/// # Safety
///
/// The place is claimed for this thread: no other thread has it as its own.
pub(crate) unsafe fn set_own_state(state: &'static ThreadState) {
    BINDING.with(|binding| binding.own.store(from_ref(state).cast_mut(), Relaxed));
}

/// Takes this thread's place away from it. The thread gets no other place.
pub(crate) fn forget_own_state() {
    BINDING.with(|binding| binding.own.store(null_mut(), Relaxed));
    light_fence();
    suspend();
}

/// This thread's own place, which it accesses by plain loads and stores.
#[derive(Clone, Copy)]
pub(crate) struct OwnState {
    state: &'static ThreadState,
    key: usize,
}

/// This thread's own place, entered. Until this is dropped, the counters are written by this thread alone. So
/// is the magazine of each lane that is cached.
pub(crate) struct StateGuard {
    state: &'static ThreadState,
    key: usize,
}

impl OwnState {
    /// Returns this thread's place with the allocator of this key. `None` if it has none, or if it was
    /// interrupted inside.
    #[inline(always)]
    pub(crate) fn at(key: usize) -> Option<Self> {
        let state = current_state();
        state.gate().is_mine(key).then_some(Self { state, key })
    }

    /// Wraps a place that is this thread's, whether its requests see it or not.
    ///
    /// # Safety
    ///
    /// The place was claimed for this thread, which has not released it.
    pub(crate) unsafe fn hidden(state: &'static ThreadState) -> Self {
        Self { state, key: state.gate().key() }
    }

    pub(crate) fn state(self) -> &'static ThreadState {
        self.state
    }

    /// Enters the place. Never returns `None` to a caller that was outside when it got this.
    #[inline(always)]
    pub(crate) fn enter(self) -> Option<StateGuard> {
        // Lazily, because dropping a guard opens the gate.
        self.state.gate().enter(self.key).then(|| StateGuard { state: self.state, key: self.key })
    }

    /// Runs `f` inside the place. `None` if this thread cannot enter it.
    #[inline(always)]
    pub(crate) fn with<R>(self, f: impl FnOnce(&StateGuard) -> R) -> Option<R> {
        self.enter().map(|guard| f(&guard))
    }

    /// Finds this thread's place and enters it: [`at`](Self::at) and [`enter`](Self::enter) in one.
    #[inline(always)]
    pub(crate) fn enter_at(key: usize) -> Option<StateGuard> {
        Self { state: current_state(), key }.enter()
    }
}

impl StateGuard {
    /// Returns the place that was entered.
    #[inline(always)]
    pub(crate) fn own(&self) -> OwnState {
        OwnState { state: self.state, key: self.key }
    }

    #[inline(always)]
    pub(crate) fn magazine(&self, lane: Lane) -> &Magazine {
        self.state.magazine(lane)
    }

    #[inline(always)]
    pub(crate) fn counters(&self, lane: Lane) -> &LaneCounters {
        self.state.lane_counters(lane)
    }

    /// The counters that are not a lane's.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &Counters {
        self.state.counters()
    }

    /// The counters of refused requests by size.
    pub(crate) fn refused(&self) -> &RefusedBySize {
        self.state.refused()
    }
}

impl Drop for StateGuard {
    #[inline(always)]
    fn drop(&mut self) {
        self.state.gate().leave(self.key);
    }
}
