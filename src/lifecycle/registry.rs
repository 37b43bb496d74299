//! Every allocator of this process that was started, for what concerns them all: the child of a `fork`, and the end of the program.
//!
//! A list of their metadata, newest first, to which is only ever added. Metadata of values, which may go, is not in it.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `NEWEST` | start-ups (Release), read by the hooks (Acquire) | the metadata and the rest of the list |
//! | `older` | the start-up of that metadata, before it is in the list (Relaxed) | nothing: `NEWEST` does |
//! | `FORKS` | the hook in each child (Relaxed) | nothing |

use core::{iter, ptr};
use std::panic;

use crate::metadata::Metadata;
use crate::os;
use crate::sync::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

static NEWEST: AtomicPtr<Metadata> = AtomicPtr::new(ptr::null_mut());
/// How many forks lie between the process in which this code was loaded and this one.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Puts an allocator on the list.
pub(crate) fn register(metadata: &'static Metadata) {
    let this = ptr::from_ref(metadata).cast_mut();
    let mut newest = NEWEST.load(Acquire);
    // Each failure means that another allocator was started.
    loop {
        metadata.older.store(newest, Relaxed);
        match NEWEST.compare_exchange(newest, this, Release, Acquire) {
            Ok(_) => break,
            Err(now) => newest = now,
        }
    }
}

/// Which process this is, for what is not a global allocator's. A child may have the same number as its parent: both are the first of their
/// namespaces, or the number came round again. So on Linux forks are counted too, those by the C library.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    id: u64,
    forks: usize,
}

impl Process {
    /// A system call.
    pub(crate) fn this() -> Self {
        Self { id: os::this_process(), forks: FORKS.load(Relaxed) }
    }
}

fn all() -> impl Iterator<Item = &'static Metadata> {
    // SAFETY: null, or put on the list by `register`, for ever.
    let at = |metadata: *mut Metadata| unsafe { metadata.as_ref() };
    // Ends: each was there before the one that points to it.
    iter::successors(at(NEWEST.load(Acquire)), move |metadata| at(metadata.older.load(Relaxed)))
}

/// Runs in the child of a `fork`, on the thread that called it.
pub(super) unsafe extern "C" fn settle_children() {
    FORKS.fetch_add(1, Relaxed);
    all().for_each(Metadata::settle_child);
}

/// Runs when the program exits, outside any allocation.
pub(super) extern "C" fn write_exit_outputs() {
    // A panic would not get out of here. It has been told by its hook.
    let _ = panic::catch_unwind(|| all().for_each(show));
}

fn show(metadata: &Metadata) {
    let Some(output) = metadata.exit_output else { return };
    let stats = metadata.stats();
    let mut text = format!("{}\n", stats.named(None));
    if metadata.recording.is_some() {
        text += &format!("{}\n", stats.advice());
    }
    // In one piece, so that it is not mixed with what others write, and by no lock: other threads may hold those for ever.
    output.write(text.as_bytes());
}
