//! The cost of a buffer of a `BufferPool`, beside a block of the global allocator and of a `PoolAlloc`: see
//! `README.md` beside this file.

use std::alloc::GlobalAlloc;
use std::alloc::{Layout, System};
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use framepool::{BufferPool, Class, Config, PoolAlloc};

/// Threads cache no slots of Large.
static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().magazine(Class::Large, 0));

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("values");
    let pool = BufferPool::new();
    for bytes in [1_000, 40_000, 200_000, 1_382_400] {
        group.bench_function(BenchmarkId::new("BufferPool", bytes), |b| {
            b.iter(|| drop(black_box(pool.alloc(bytes))));
        });
        group.bench_function(BenchmarkId::new("BufferPool, waiting allowed", bytes), |b| {
            b.iter(|| drop(black_box(pool.wait_pooled(bytes, Duration::from_secs(1)))));
        });
        let name = if bytes == 200_000 { "PoolAlloc, not cached" } else { "PoolAlloc" };
        for (name, alloc) in [(name, &ALLOC as &dyn GlobalAlloc), ("System", &System)] {
            group.bench_function(BenchmarkId::new(name, bytes), |b| {
                let layout = Layout::from_size_align(bytes, 1).unwrap();
                b.iter(|| {
                    // SAFETY: the layout is not empty, and the block is freed with the layout that it was
                    // allocated with.
                    unsafe { alloc.dealloc(black_box(alloc.alloc(layout)), layout) }
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
