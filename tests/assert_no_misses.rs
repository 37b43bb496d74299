//! Tests of `assert_no_misses!`: it passes hits and bypasses, and panics at a single miss.

mod common;

use common::{Block, layout, whole};
use framepool::{Class, Config, PoolAlloc, assert_no_misses};

#[test]
fn work_that_stays_in_the_pools_passes_with_its_value_and_so_does_what_bypasses_them() {
    static POOL: PoolAlloc = PoolAlloc::new();
    // No other thread is reserving the pools, so the very first request is a hit.
    let value = assert_no_misses!(POOL, {
        Block::take(&POOL, whole(Class::XLarge), 1).give();
        Block::take(&POOL, layout(3 << 20, 8), 2).give();
        7
    });
    assert_eq!(value, 7);
}

#[test]
#[should_panic(
    expected = "requests that found no free slot: 1\n1 request of 2 MiB to 4 MiB (2.0 MiB together): no free slot\n"
)]
fn a_single_miss_panics() {
    static POOL: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::XLarge, 2 << 20, 1));
    let only = Block::take(&POOL, whole(Class::XLarge), 1);
    assert_no_misses!(POOL, Block::take(&POOL, whole(Class::XLarge), 2).give());
    only.give();
}
