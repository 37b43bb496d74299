//! Sites: stacks that stand for the same place in a program, even in different runs and builds.
//!
//! A frame is compared by its function and its place in the source, without its address. The allocator's own
//! frames on top are left out, because they differ with the path of a request through the allocator.

use crate::profile::Profile;

/// The beginnings of functions that are on top of a stack because something is allocated.
const ALLOCATORS: [&str; 16] = [
    "alloc::alloc::",
    "<alloc::alloc::",
    "alloc::raw_vec::",
    "__rust_",
    "__rustc::__rust_",
    "__rg_",
    "framepool::",
    "<framepool::",
    "dhat::",
    "<dhat::",
    "core::alloc::",
    "<core::alloc::",
    "malloc ",
    "calloc ",
    "realloc ",
    "operator new",
];

/// The beginnings of functions of the standard library.
const LIBRARY: [&str; 11] = [
    "alloc::",
    "<alloc::",
    "core::",
    "<core::",
    "std::",
    "<std::",
    "<str",
    "<[",
    "<T as alloc::",
    "hashbrown::",
    "__libc_",
];

/// The identity of a site: its frames, innermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Site(Vec<String>);

impl Site {
    /// Returns the site of a stack, and whether it was reached by a `realloc`.
    pub(crate) fn of(profile: &Profile, stack: &[usize]) -> (Self, bool) {
        let frames: Vec<&str> = stack.iter().map(|&frame| without_address(&profile.frames[frame])).collect();
        let own = frames.iter().take_while(|frame| is_allocator(frame)).count();
        let is_realloc = frames[..own].iter().any(|frame| resizes(frame));
        // If all frames of a stack are the allocator's, they are all kept.
        let own = if own == frames.len() { 0 } else { own };
        (Self(frames[own..].iter().map(|frame| (*frame).to_owned()).collect()), is_realloc)
    }

    /// Returns the innermost frame of the program's own code, or the innermost of all if there is none.
    pub(crate) fn title(&self) -> &str {
        let own = self.0.iter().find(|frame| !LIBRARY.iter().any(|prefix| frame.starts_with(prefix)));
        own.or(self.0.first()).map_or("[root]", String::as_str)
    }

    /// Returns all frames, innermost first.
    pub(crate) fn frames(&self) -> &[String] {
        &self.0
    }

    /// Returns the site of a stack that was cut off after that many frames.
    pub(crate) fn first(&self, frames: usize) -> Self {
        Self(self.0[..frames].to_vec())
    }

    /// Whether this stack was cut off earlier than the other, and the two are the same up to there.
    pub(crate) fn is_cut_off_from(&self, longer: &Self) -> bool {
        self.0.len() < longer.0.len() && !self.0.is_empty() && longer.0.starts_with(&self.0)
    }
}

fn is_allocator(frame: &str) -> bool {
    ALLOCATORS.iter().any(|prefix| frame.starts_with(prefix))
}

/// Whether a frame resizes a block. (`grow_amortized` and the like may be about the first block of a vector.)
fn resizes(frame: &str) -> bool {
    let function = frame.split(" (").next().unwrap_or(frame);
    ["realloc", "::grow", "::grow_zeroed", "::shrink"].iter().any(|name| function.ends_with(name))
}

/// Removes the address: `0x1234: f (a.rs:1:2)` becomes `f (a.rs:1:2)`.
fn without_address(frame: &str) -> &str {
    match frame.split_once(": ") {
        Some((address, rest)) if address.starts_with("0x") => rest,
        _ => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(frames: &[&str]) -> (Site, bool) {
        let profile = Profile {
            command: String::new(),
            points: Vec::new(),
            frames: frames.iter().map(|&frame| frame.to_owned()).collect(),
        };
        Site::of(&profile, &(0..frames.len()).collect::<Vec<_>>())
    }

    #[test]
    fn addresses_and_the_allocators_frames_make_no_difference() {
        let one = site(&[
            "0x1: alloc::alloc::alloc (a.rs:1:1)",
            "0x2: alloc::vec::Vec<T>::with_capacity (v.rs:2:2)",
            "0x3: app::f (app.rs:3:3)",
        ]);
        let other = site(&[
            "0x9: <framepool::global::PoolAlloc<A> as core::alloc::global::GlobalAlloc>::alloc (g.rs:4:4)",
            "0x8: alloc::vec::Vec<T>::with_capacity (v.rs:2:2)",
            "0x7: app::f (app.rs:3:3)",
        ]);
        assert_eq!(one, other);
        assert_eq!(one.0.title(), "app::f (app.rs:3:3)");
    }

    #[test]
    fn a_realloc_shows_and_so_do_stacks_of_an_allocator_alone() {
        let (site_of, is_realloc) = site(&[
            "0x1: <alloc::alloc::Global as core::alloc::Allocator>::grow (a.rs:1:1)",
            "0x2: app::f (app.rs:3:3)",
        ]);
        assert!(is_realloc && site_of.frames().len() == 1);
        let first = [
            "0x1: <alloc::alloc::Global as core::alloc::Allocator>::allocate (a.rs:1:1)",
            "0x2: alloc::raw_vec::RawVecInner<A>::finish_grow (r.rs:2:2)",
            "0x3: alloc::raw_vec::RawVecInner<A>::grow_amortized (r.rs:3:2)",
            "0x4: app::f (app.rs:3:3)",
        ];
        assert!(!site(&first).1, "the first block of a vector that grows");
        let (alone, is_realloc) = site(&["0x1: malloc (in vgpreload.so)"]);
        assert!(!is_realloc && alone.title() == "malloc (in vgpreload.so)");
        assert!(site(&["0x4: realloc (in vgpreload.so)", "0x5: main (a.c:3)"]).1);
        assert!(
            site(&["0x6: <alloc::alloc::Global as core::alloc::Allocator>::grow (My Project (1)/a.rs:1:1)"])
                .1
        );
    }

    #[test]
    fn a_stack_that_was_cut_off_is_found_in_the_whole_one() {
        let (long, _) = site(&["0x1: f (a.rs:1:1)", "0x2: g (a.rs:2:1)"]);
        let (short, _) = site(&["0x3: f (a.rs:1:1)"]);
        assert!(
            short.is_cut_off_from(&long) && !long.is_cut_off_from(&short) && !long.is_cut_off_from(&long)
        );
    }
}
