//! framepool with a fallback that a feature chooses, under the same names, so that framepool's tests run
//! unedited.
#![cfg_attr(doctest, doc = include_str!("../../../src/guide/fallbacks.md"))]

use std::alloc::{GlobalAlloc, Layout};
use std::ops::Deref;

pub use real::*;

#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
use mimalloc::MiMalloc as Fallback;
#[cfg(not(any(feature = "mimalloc", feature = "jemalloc")))]
use std::alloc::System as Fallback;
#[cfg(feature = "jemalloc")]
use tikv_jemallocator::Jemalloc as Fallback;

#[cfg(feature = "jemalloc")]
const FALLBACK: Fallback = tikv_jemallocator::Jemalloc;
#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
const FALLBACK: Fallback = mimalloc::MiMalloc;
#[cfg(not(any(feature = "mimalloc", feature = "jemalloc")))]
const FALLBACK: Fallback = std::alloc::System;

/// The `PoolAlloc` of framepool, with another default fallback.
#[derive(Debug)]
pub struct PoolAlloc<A = Fallback>(real::PoolAlloc<A>);

impl PoolAlloc {
    /// Makes an allocator as framepool's `PoolAlloc::new` does.
    pub const fn new() -> Self {
        Self::with_config(Config::new())
    }

    /// Makes an allocator as framepool's `PoolAlloc::with_config` does.
    pub const fn with_config(config: Config) -> Self {
        if cfg!(feature = "plain") {
            Self::with_plain_fallback(FALLBACK, config)
        } else {
            Self::with_fallback(FALLBACK, config)
        }
    }
}

impl Default for PoolAlloc {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> PoolAlloc<A> {
    /// Makes an allocator as framepool's `PoolAlloc::with_fallback` does.
    pub const fn with_fallback(fallback: A, config: Config) -> Self {
        Self(real::PoolAlloc::with_fallback(fallback, config))
    }

    /// Makes an allocator as framepool's `PoolAlloc::with_plain_fallback` does.
    pub const fn with_plain_fallback(fallback: A, config: Config) -> Self {
        Self(real::PoolAlloc::with_plain_fallback(fallback, config))
    }
}

impl<A> Deref for PoolAlloc<A> {
    type Target = real::PoolAlloc<A>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

// SAFETY: passes every call on to framepool's `PoolAlloc`.
unsafe impl<A: GlobalAlloc + 'static> GlobalAlloc for PoolAlloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { self.0.dealloc(ptr, layout) }
    }
}
