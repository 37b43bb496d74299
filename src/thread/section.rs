//! Sections: steps that a `fork` must not cut in two on the very thread that takes them. A signal handler may
//! fork there, and may return in the child too.
//!
//! In the child, the thread that forked takes over all places of its allocators but its own. While it claims
//! a place or leaves one, it cannot tell which place that is. If it holds the reclaim lock itself, it must not
//! open that lock as one left behind. So each of these steps is a section, and so is taking over itself. In a
//! section the thread puts off [settling](crate::metadata::fork_mark), and after the section it settles. (The
//! parent's other threads may be anywhere: they are not in the child.)
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | both | their thread and the signal handlers on it (Relaxed) | nothing: no other thread reads them |

use crate::fatal::invariant;
use crate::os::local::thread_value;
use crate::sync::{AtomicU32, AtomicUsize, Ordering::Relaxed, light_fence};

/// The maximum number of sections, of a thread and the handlers that interrupt it, whose allocators are kept.
/// In more sections than that, settling is put off for every allocator.
const MAX: usize = 4;

struct Sections {
    depth: AtomicU32,
    /// The allocator of each section, by the address of its metadata; 0 where there is none.
    allocators: [AtomicUsize; MAX],
}

thread_value! {
    static SECTIONS: Sections = const {
        Sections { depth: AtomicU32::new(0), allocators: [const { AtomicUsize::new(0) }; MAX] }
    };
}

/// A section of this thread, which ends when this is dropped. Not to be kept across code that may suspend.
pub(crate) struct Section(());

impl Section {
    pub(crate) fn enter(allocator: usize) -> Self {
        SECTIONS.with(|sections| {
            let depth = sections.depth.load(Relaxed);
            sections.depth.store(depth + 1, Relaxed);
            light_fence();
            if let Some(place) = sections.allocators.get(depth as usize) {
                place.store(allocator, Relaxed);
            }
            light_fence();
        });
        Self(())
    }

    /// Enters a section. `None` if this thread is in a section of this allocator already, or in more than
    /// [`MAX`] sections.
    pub(crate) fn enter_first(allocator: usize) -> Option<Self> {
        let is_inside = SECTIONS.with(|sections| {
            let depth = sections.depth.load(Relaxed) as usize;
            let mut entered = sections.allocators.iter().take(depth);
            depth > MAX || entered.any(|inside| inside.load(Relaxed) == allocator)
        });
        if is_inside { None } else { Some(Self::enter(allocator)) }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        SECTIONS.with(|sections| {
            light_fence();
            invariant!(sections.depth.load(Relaxed) > 0, "a section that ends has begun");
            let depth = sections.depth.load(Relaxed).wrapping_sub(1);
            if let Some(place) = sections.allocators.get(depth as usize) {
                place.store(0, Relaxed);
            }
            light_fence();
            sections.depth.store(depth, Relaxed);
        });
    }
}
