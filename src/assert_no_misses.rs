//! A check for tests of hot loops: the work stays in the pools.

/// Runs an expression and returns its value. Panics if any request missed meanwhile.
///
/// A miss is a request that fits a class and may have every slot of it, but finds none free. The misses of
/// all threads count. Bypasses (too large, below a floor, held back) do not count: see
/// [`Stats::bypassed`](crate::Stats::bypassed).
///
/// ```
/// use framepool::{PoolAlloc, assert_no_misses};
///
/// #[global_allocator]
/// static ALLOC: PoolAlloc = PoolAlloc::new();
///
/// let checksum = assert_no_misses!(ALLOC, {
///     let frame = vec![1_u8; 1280 * 720 * 3 / 2];
///     frame.iter().map(|&byte| u64::from(byte)).sum::<u64>()
/// });
/// assert_eq!(checksum, 1_382_400);
/// ```
///
/// # Panics
///
/// If there was a miss. The message has the statistics of the time in between.
#[macro_export]
macro_rules! assert_no_misses {
    ($allocator:expr, $work:expr $(,)?) => {{
        let allocator = &$allocator;
        let before = allocator.stats();
        let result = $work;
        let stats = allocator.stats().since(&before);
        ::core::assert!(stats.misses() == 0, "{} requests found no free slot\n{stats}", stats.misses());
        result
    }};
}
