//! The cost of a recording: of an allocation and its free while it goes on, and of the advice afterwards, for a
//! program of a thousand sizes. See `README.md` beside this file.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use framepool::{Config, PoolAlloc};

static PLAIN: PoolAlloc = PoolAlloc::new();
static RECORDED: PoolAlloc = PoolAlloc::with_config(Config::new().record(true));

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 1).unwrap()
}

fn pair(pool: &PoolAlloc, layout: Layout) {
    // SAFETY: not empty, and freed with the layout that it was allocated with.
    unsafe { pool.dealloc(black_box(pool.alloc(layout)), layout) };
}

/// Allocates and frees blocks of a thousand sizes from 300 bytes to 2 MiB, each of its own.
fn thousand_sizes() {
    (0..1_000).for_each(|n| pair(&RECORDED, layout(300 + 64 * n + 2 * n * n)));
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("recording");
    for bytes in [1_000, 1_382_400] {
        for (name, pool) in [("without", &PLAIN), ("with", &RECORDED)] {
            group.bench_function(BenchmarkId::new(name, bytes), |b| b.iter(|| pair(pool, layout(bytes))));
        }
    }
    thousand_sizes();
    group.bench_function("advice for a thousand sizes", |b| b.iter(|| black_box(RECORDED.stats().advice())));
    group.finish();
    criterion.final_summary();
}
