//! The allocator under test: `PoolAlloc` that listens to `FRAMEPOOL` with the feature `pools`, `System` itself, the control, without.
//!
//! Whoever uses it declares it, in the same words either way:
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
    use framepool::{Config, PoolAlloc};

    /// The type of the allocator.
    pub type Allocator = PoolAlloc;

    /// A new one.
    #[allow(clippy::declare_interior_mutable_const)] // Each user makes one static of it.
    pub const ALLOCATOR: Allocator = PoolAlloc::with_config(Config::new().env(true));

    /// Whether a pool served this block.
    pub fn is_hit(allocator: &Allocator, block: *const u8) -> bool {
        allocator.owns(block)
    }
}

#[cfg(not(feature = "pools"))]
mod system {
    use std::alloc::System;

    /// The type of the allocator.
    pub type Allocator = System;

    /// A new one.
    pub const ALLOCATOR: Allocator = System;

    /// Never.
    pub fn is_hit(_: &Allocator, _: *const u8) -> bool {
        false
    }
}
