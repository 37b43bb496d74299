//! The allocator under test. With the feature `pools` it is a `PoolAlloc` that reads `FRAMEPOOL`. Without the
//! feature it is `System`, the control.
//!
//! A program declares it in the same words in both cases:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: framepool_suites::Allocator = framepool_suites::ALLOCATOR;
//! ```

#[cfg(feature = "pools")]
pub use pools::*;
#[cfg(not(feature = "pools"))]
pub use system::*;

#[cfg(feature = "pools")]
mod pools {
    use framepool::PoolAlloc;

    /// The type of the allocator.
    pub type Allocator = PoolAlloc;

    /// A new allocator.
    #[allow(clippy::declare_interior_mutable_const)] // Each program makes one static of it.
    pub const ALLOCATOR: Allocator = PoolAlloc::new();

    /// Returns whether a pool served this block.
    pub fn is_hit(allocator: &Allocator, block: *const u8) -> bool {
        allocator.owns(block)
    }
}

#[cfg(not(feature = "pools"))]
mod system {
    use std::alloc::System;

    /// The type of the allocator.
    pub type Allocator = System;

    /// A new allocator.
    pub const ALLOCATOR: Allocator = System;

    /// Returns `false`, because there are no pools.
    pub fn is_hit(_: &Allocator, _: *const u8) -> bool {
        false
    }
}
