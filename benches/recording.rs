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

static VARIED: PoolAlloc = PoolAlloc::with_config(Config::new().record(true));
static KEPT: PoolAlloc = PoolAlloc::with_config(Config::new().record(true));

/// Allocates and frees blocks of a thousand sizes from 300 bytes to 2 MiB, one at a time.
fn varied() {
    (0..1_000).for_each(|n| pair(&VARIED, layout(300 + 64 * n + 2 * n * n)));
}

/// Allocates blocks of a thousand sizes from 1 KiB to 1 GiB, and keeps them all: none is worth a slot.
fn kept() {
    for n in 0..1_000 {
        let bytes = 1_024.0 * (1.0 + f64::from(n) / 1_000.0 * 20.0).exp2() / 2.0;
        // SAFETY: not empty. It is never freed, and its memory is never touched.
        unsafe { black_box(KEPT.alloc(layout(bytes as usize))) };
    }
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
    varied();
    kept();
    for (name, pool) in [("one at a time", &VARIED), ("all at once", &KEPT)] {
        group.bench_function(BenchmarkId::new("advice for a thousand sizes", name), |b| {
            b.iter(|| black_box(pool.stats().advice()));
        });
    }
    group.finish();
    criterion.final_summary();
}
