//! A check for tests of hot loops: slots serve all that is large.

use core::fmt::Write;

use crate::stats::{Refusal, RefusedSizes, Stats};
use crate::tunables::{REFUSED_BUCKETS, REFUSED_FROM};

/// Runs an expression and returns its value. Panics if any request of at least `from` bytes was not served by
/// a slot meanwhile, for whatever reason.
///
/// `from` is a power of two from 16 KiB (the default) to 256 MiB. Another value does not compile.
///
/// ```
/// use framepool::{PoolAlloc, assert_pooled};
///
/// #[global_allocator]
/// static ALLOC: PoolAlloc = PoolAlloc::new();
///
/// let checksum = assert_pooled!(ALLOC, {
///     let frame = vec![1_u8; 1280 * 720 * 3 / 2];
///     frame.iter().map(|&byte| u64::from(byte)).sum::<u64>()
/// });
/// assert_eq!(checksum, 1_382_400);
/// assert_pooled!(ALLOC, from = 65_536, drop(vec![0_u8; 40_000]));
/// ```
///
/// It sees the requests of all threads, also of those that have nothing to do with the expression. It does not see
/// requests below `from` bytes (so it never fails for a pool whose requests are all below 16 KiB: compare
/// [`misses`](crate::Stats::misses) before and after), frees, blocks that shrink, and requests inside
/// [`unpooled`](crate::PoolAlloc::unpooled). If the expression leaves by `return`, `?` or `break`, nothing is
/// checked.
///
/// # Panics
///
/// If there was such a request. The message has a line for each reason and range of sizes, with the number of
/// requests and their bytes, and then the statistics of the time in between.
///
/// ```compile_fail
/// # use framepool::{PoolAlloc, assert_pooled};
/// # static ALLOC: PoolAlloc = PoolAlloc::new();
/// assert_pooled!(ALLOC, from = 10_000, ()); // not a power of two
/// ```
#[macro_export]
macro_rules! assert_pooled {
    ($allocator:expr, from = $from:expr, $work:expr $(,)?) => {{
        const { $crate::Stats::check_from($from) };
        let allocator = &$allocator;
        let before = allocator.stats();
        let result = $work;
        allocator.stats().since(&before).assert_served_from($from, false);
        result
    }};
    ($allocator:expr, $work:expr $(,)?) => {
        $crate::assert_pooled!($allocator, from = 16_384, $work)
    };
}

/// The parts of the macros that are functions. Not meant to be called directly.
#[doc(hidden)]
impl Stats {
    /// Panics unless `from` is the smallest size of a range.
    pub const fn check_from(from: usize) {
        assert!(
            from.is_power_of_two() && from >= REFUSED_FROM && from <= REFUSED_FROM << (REFUSED_BUCKETS - 2),
            "`from` must be a power of two from 16 KiB to 256 MiB"
        );
    }

    /// Panics if a request of at least `from` bytes was refused, for any reason or because no slot was free.
    #[track_caller]
    pub fn assert_served_from(&self, from: usize, only_misses: bool) {
        let (mut requests, mut text) = (0, String::new());
        let is_asked = |sizes: &RefusedSizes| {
            sizes.from_bytes >= from as u64 && (!only_misses || sizes.reason == Refusal::Miss)
        };
        for sizes in self.refused().filter(is_asked) {
            requests += sizes.requests + sizes.failed;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{sizes}");
        }
        let what = if only_misses { "found no free slot" } else { "were not served by a slot" };
        assert!(requests == 0, "requests that {what}: {requests}\n{text}{self}");
    }
}
