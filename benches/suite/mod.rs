//! The criterion suite: every workload, size and contestant, in a process whose `System` is in one given
//! state.
//!
//! An id reads `pinned/burst16/untouched/pair/framepool/64 KiB`, and its time is that of one block. Runs are
//! short: 352 ids in two processes within about five minutes. For more precise figures, select ids and give
//! them more time:
//! `cargo bench --bench pinned -- 'two_threads/pair/.*/64 KiB' --measurement-time 5 --sample-size 100`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode};

use crate::common;
use crate::common::contestants::{self, CONTESTANTS, layout};
use crate::common::system::SystemState;
use crate::common::workloads::WORKLOADS;

/// The sizes, in bytes: one slot of each class.
const SIZES: [usize; 4] = [1 << 10, 64 << 10, 256 << 10, 2 << 20];

/// Runs the benchmarks that the command line selects.
pub(crate) fn run(state: &str) {
    let state = SystemState::named(state).expect("the targets are named after the states");
    state.prepare();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .nresamples(2_000)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .configure_from_args();
    for (name, workload) in WORKLOADS {
        let mut group = criterion.benchmark_group(format!("{}/{name}", state.name()));
        // All samples have equal length. The shortest samples of the other modes are too short for two
        // threads to meet.
        group.sampling_mode(SamplingMode::Flat);
        for bytes in SIZES {
            // One contestant follows the other, so compared figures are taken a second apart, not a minute.
            for (contestant, allocator) in CONTESTANTS {
                let id = BenchmarkId::new(contestant, format_args!("{} KiB", bytes >> 10));
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|rounds| workload(allocator, layout(bytes), rounds));
                });
            }
        }
        group.finish();
    }
    contestants::assert_that_every_request_was_a_hit();
    common::tell_disturbed();
    criterion.final_summary();
}
