//! A list of all global allocators of this process that were started, for the child of a `fork` and for the
//! program's exit.
//!
//! The list holds their metadata, newest first. Entries are added and never removed. The metadata of a
//! `BufferPool` is not in it, because it may be unmapped.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `NEWEST` | start-ups (Release), read by the hooks (Acquire) | the metadata and the rest of the list |
//! | `older` | the start-up of that metadata, before it is in the list (Relaxed) | nothing: `NEWEST` does |
//! | `FORKS` | the hook in each child (Relaxed) | nothing |

use core::{iter, ptr};
use std::panic;
use std::path::Path;

use crate::metadata::Metadata;
use crate::os;
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

static NEWEST: AtomicPtr<Metadata> = AtomicPtr::new(ptr::null_mut());
/// The number of forks between the process in which this code was loaded and this one.
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

/// The identity of this process, for everything but a global allocator. A child may have the same number as
/// its parent: both may be the first of their namespaces, or the number may have come round again. So on
/// Linux, forks by the C library are counted too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    id: u64,
    forks: usize,
}

impl Process {
    /// Returns the identity of the calling process. One system call.
    pub(crate) fn this() -> Self {
        Self { id: os::this_process(), forks: FORKS.load(Relaxed) }
    }
}

fn all() -> impl Iterator<Item = &'static Metadata> {
    // SAFETY: null, or put on the list by `register`, whose metadata is never unmapped.
    let at = |metadata: *mut Metadata| unsafe { metadata.as_ref() };
    // This ends: each entry was on the list before the one that points to it.
    iter::successors(at(NEWEST.load(Acquire)), move |metadata| at(metadata.older.load(Relaxed)))
}

/// Settles all allocators. Runs in the child of a `fork`, on the thread that called it.
pub(super) unsafe extern "C" fn settle_children() {
    FORKS.fetch_add(1, Relaxed);
    all().for_each(Metadata::settle_child);
}

/// Writes the statistics of the allocators that are asked for them. Runs when the program exits, outside any
/// allocation; on Windows perhaps twice.
pub(super) extern "C" fn write_exit_outputs() {
    static IS_WRITTEN: AtomicBool = AtomicBool::new(false);
    if cfg!(windows) && IS_WRITTEN.swap(true, Relaxed) {
        return;
    }
    // A panic must not unwind out of here. The panic hook has reported it already.
    let _ = panic::catch_unwind(show_all);
}

/// Writes the statistics of all allocators, the one that was started first in front. One file has one table: those
/// of the other allocators are comments there.
fn show_all() {
    let with_output = |metadata: &'static Metadata| {
        let output = metadata.exit_output.filter(|output| output.may_write())?;
        Some((metadata, output))
    };
    let mut outputs: Vec<_> = all().filter_map(with_output).collect();
    outputs.reverse();
    for (at, &(metadata, output)) in outputs.iter().enumerate() {
        let is_first = outputs[..at].iter().all(|(_, before)| before.identity() != output.identity());
        show(metadata, output, is_first);
    }
}

fn show(metadata: &Metadata, output: os::ExitOutput, is_first: bool) {
    let stats = metadata.stats();
    let program = std::env::args_os().next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    let mut text = format!("{program}, process {}:\n{}\n", os::this_process(), stats.named(None));
    if metadata.recording.is_some() {
        let advice = stats.advice();
        text += &format!("{advice}\n");
        if output.is_file() {
            text = text.lines().map(|line| format!("# {line}\n")).collect();
            let table = advice.environment().filter(|_| is_first);
            text += &table.map_or(String::new(), |table| table + "\n");
        }
    }
    // In one piece, so that it is not mixed with other output, and without std's lock: a stopped thread may
    // never release that.
    if let Err(error) = output.write(text.as_bytes(), is_first) {
        let why = error.words().map_or_else(|| format!("error {}", error.code()), str::to_owned);
        let text = format!("framepool: the statistics of process {} are lost: {why}\n", os::this_process());
        os::write_to_stderr(text.as_bytes());
    }
}
