//! The reasons why there is no buffer.

use core::fmt;

/// The error of [`BufferPool::try_alloc`](crate::BufferPool::try_alloc): neither the pools nor the global
/// allocator have the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError {
    bytes: usize,
}

impl AllocError {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes }
    }

    /// Returns how many bytes were asked for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no slot is free and no memory is left for {} bytes", self.bytes)
    }
}

impl core::error::Error for AllocError {}

/// The reason why [`BufferPool::wait_pooled`](crate::BufferPool::wait_pooled) returned no buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// No slot came free for this request in time.
    TimedOut,
    /// No slot will ever serve the request. Its length fits no class or is below the
    /// [floor](crate::Config::floor) of its class. Or all slots of its class are [held
    /// back](crate::Config::hold_back) for larger ones. Or the pools could not be reserved.
    NeverPooled,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitError::TimedOut => "no slot came free in time",
            WaitError::NeverPooled => "no slot will ever serve this length",
        })
    }
}

impl core::error::Error for WaitError {}
