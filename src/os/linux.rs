//! Linux and Android: what every Unix has, a fence on all processors, `fork` that leaves a mark, and figures of `/proc`.

mod fence;
#[cfg(all(target_env = "gnu", target_os = "linux"))]
mod glibc;
mod limits;
mod requests;
mod smaps;
mod threads;

pub(crate) use super::clock::{monotonic_nanos, process_nanos};
#[cfg(not(all(target_env = "gnu", target_os = "linux")))]
pub(crate) use super::other_heap::{CONSOLIDATES, CONSOLIDATES_FROM, consolidate_heap};
pub(crate) use super::signals::with_signals_blocked;
pub(crate) use super::unix::{
    ExitHook, ExitOutput, error_words, last_error, map_guarded, map_zeroed, may_discard, page_bytes,
    read_file, reserve, set_last_error, unmap, variable, write_to_stderr,
};
pub(crate) use fence::{can_fence_all, fence_all, map_wiped_on_fork};
#[cfg(all(target_env = "gnu", target_os = "linux"))]
pub(crate) use glibc::{CONSOLIDATES, CONSOLIDATES_FROM, consolidate_heap};
pub(crate) use limits::limit_behind;
pub(crate) use requests::{
    DISCARD_KEEPS_REQUESTS, DISCARD_LEAVES_ZEROS, discard, huge_page_bytes, leave_out_of_core_dumps, lock,
    name, page_figures, page_figures_of, populate, resident, use_huge_pages,
};
pub(crate) use threads::{is_first_thread, is_gone, this_process, this_thread};

use super::Hooks;

/// Does what the constructor has to do.
pub(crate) fn at_load(hooks: &Hooks) {
    super::unix::at_load(hooks);
    #[cfg(all(target_env = "gnu", target_os = "linux"))]
    glibc::read_tunables();
    fence::after_fork(hooks.child);
}
