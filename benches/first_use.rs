//! The first use of a slot of 2 MiB, by how its memory gets there: a fault for each page, populated at start-up, or as one huge page. See
//! `README.md` beside this file.
//!
//! Each iteration makes a pool of its own, writes one slot through, and drops both, because a slot is used for the first time only once. What
//! the pool itself costs is measured too, to be taken off.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use framepool::{BufferPool, Class, Config};

const BYTES: usize = 2 << 20;

/// A table with one slot of 2 MiB, and next to nothing else.
const TABLE: Config = Config::new()
    .class(Class::Small, 4 << 10, 1)
    .class(Class::Medium, 8 << 10, 1)
    .class(Class::Large, 16 << 10, 1)
    .class(Class::XLarge, BYTES, 1);

/// Makes a pool, and writes `bytes` bytes of its large slot.
fn use_once(config: Config, bytes: usize) {
    let pool = BufferPool::with_config(config);
    let mut buffer = pool.alloc(BYTES);
    buffer.resize(bytes, 0xA5);
    black_box(&buffer);
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("first_use");
    for (name, config) in [
        ("a fault a page", TABLE),
        ("populated", TABLE.prefault(true)),
        ("a huge page", TABLE.huge_pages(true)),
    ] {
        group.bench_function(name, |b| b.iter(|| use_once(config, BYTES)));
    }
    group.bench_function("the pool alone", |b| b.iter(|| use_once(TABLE, 1)));
    let pool = BufferPool::with_config(TABLE);
    group.bench_function("written again", |b| b.iter(|| pool.alloc(BYTES).resize(BYTES, 0xA5)));
    group.finish();
    criterion.final_summary();
}
