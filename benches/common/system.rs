//! The states of `System`: glibc is in effect two allocators, depending on what the program freed before.
//!
//! glibc starts with two thresholds of 128 KiB: one for mapping a block by itself, and one for giving back
//! the heap's top. The first free of a mapped block raises both permanently: the first to that block's size,
//! at most 32 MiB, the second to twice that. A figure for "glibc" therefore needs the state in which it was
//! taken, and a process can only be in one. On other systems `System` is measured as it is, under both names.

use std::alloc::GlobalAlloc;
use std::env;

use super::contestants::{CONTESTANTS, layout};

/// The state of glibc's thresholds in this process.
#[derive(Clone, Copy)]
pub(crate) enum SystemState {
    /// Both thresholds set to their start-up value, which also stops their adjustment.
    Pinned,
    /// Both thresholds raised, as after the free of one block of 8 MiB.
    Adapted,
}

impl SystemState {
    /// Returns the state with that name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Pinned, Self::Adapted].into_iter().find(|state| state.name() == name)
    }

    /// The name of the state, which stands in front of every result.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Adapted => "adapted",
        }
    }

    /// Brings this process's `System` into this state. Call it once, before the first measurement.
    pub(crate) fn prepare(self) {
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name == "GLIBC_TUNABLES" || name.starts_with("MALLOC_") || name == "LD_PRELOAD" {
                eprintln!("benches: {name} is set: System may not be what its name says");
            }
        }
        // The pools make their memory first, while every large block is still a mapping of its own in either
        // state. A slab inside glibc's heap would change the heap that is measured.
        for (_, allocator) in CONTESTANTS {
            touch(allocator, 1);
        }
        match self {
            Self::Pinned => pin(),
            Self::Adapted => touch(&std::alloc::System, 8 << 20),
        }
    }
}

/// Allocates and frees one block.
fn touch(allocator: &dyn GlobalAlloc, bytes: usize) {
    let layout = layout(bytes);
    // SAFETY: no caller asks for zero bytes.
    let block = std::hint::black_box(unsafe { allocator.alloc(layout) });
    assert!(!block.is_null(), "no memory for {bytes} bytes");
    // SAFETY: the block came from this allocator, with this layout, a moment ago.
    unsafe { allocator.dealloc(block, layout) }
}

/// Sets both thresholds to 128 KiB. Either call alone would stop the adjustment of both; with both calls,
/// both are at a known value.
#[cfg(target_env = "gnu")]
fn pin() {
    for threshold in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: this is the only thread so far, and both parameters take any size up to half of a heap,
        // 32 MiB.
        let done = unsafe { libc::mallopt(threshold, 128 << 10) };
        assert!(done == 1, "mallopt({threshold}) refused 128 KiB");
    }
}

#[cfg(not(target_env = "gnu"))]
fn pin() {}
