//! A check for tests of hot loops: no class runs out of slots.

/// Runs an expression and returns its value. Panics if any request of at least `from` bytes missed meanwhile.
///
/// A miss is a request that fits a class and may have every slot of it, but finds none free. `from` is a power of
/// two from 16 KiB (the default) to 256 MiB, so that small objects do not fail a test of frames. Another value does
/// not compile.
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
/// assert_no_misses!(ALLOC, from = 65_536, drop(vec![0_u8; 40_000]));
/// ```
///
/// It sees the requests of all threads, also of those that have nothing to do with the expression. It does not see
/// requests that bypass the pools (too large for every slot, below a floor, held back, pools switched off or
/// without memory): [`assert_pooled!`](crate::assert_pooled!) does. Nor does it see requests below `from` bytes, so
/// it never fails for a pool whose slots are all below 16 KiB: compare [`misses`](crate::Stats::misses) before and
/// after. If the expression leaves by `return`, `?` or `break`, nothing is checked.
///
/// # Panics
///
/// If there was a miss. The message has a line for each range of sizes, and then the statistics of the time in
/// between.
#[macro_export]
macro_rules! assert_no_misses {
    ($allocator:expr, from = $from:expr, $work:expr $(,)?) => {{
        const { $crate::Stats::check_from($from) };
        let allocator = &$allocator;
        let before = allocator.stats();
        let result = $work;
        allocator.stats().since(&before).assert_served_from($from, true);
        result
    }};
    ($allocator:expr, $work:expr $(,)?) => {
        $crate::assert_no_misses!($allocator, from = 16_384, $work)
    };
}
