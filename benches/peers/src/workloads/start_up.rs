//! The start-up cost of an allocator: the time of its first block, and the memory that it makes resident.
//!
//! Each sample is a fresh process. The harness has already used `System` there, so `System`'s own figures are
//! nearly zero. They are the amount to subtract from the figures of the other allocators.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::Source;

/// The sizes of one block of each class, allocated after the first block.
const SIZES: [usize; 4] = [1_000, 40_000, 200_000, 1_382_400];

/// Measures the nanoseconds until the first block was there. Also measures the memory and the address space,
/// in KiB, that it and one untouched block of each class add to the process.
pub(crate) fn run(subject: Subject, bytes: usize, _: Duration) -> Outcome {
    // The first reading allocates the buffers that the later readings use again.
    black_box(Footprint::now());
    let before = Footprint::now();
    let source = Source::new(subject.allocator, bytes);
    let start = Instant::now();
    let first = source.block();
    let first_ns = start.elapsed().as_nanos() as f64;
    let blocks = SIZES.map(|bytes| Source::new(subject.allocator, bytes).block());
    let after = Footprint::now();
    drop((first, blocks));
    Outcome::of_many([
        ("first_ns", first_ns),
        ("resident_kib", after.resident_kib - before.resident_kib),
        ("address_space_kib", after.address_space_kib - before.address_space_kib),
    ])
}

/// The memory and address space of the process.
struct Footprint {
    resident_kib: f64,
    address_space_kib: f64,
}

impl Footprint {
    /// Reads exact counts; those of `status` and `statm` for resident memory lag behind. Returns zeros if
    /// there is no such file.
    fn now() -> Self {
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self { resident_kib: kib(&rollup, "Rss:"), address_space_kib: kib(&status, "VmSize:") }
    }
}

/// Returns the figure behind a name, as in `Rss:      1234 kB`, or zero.
fn kib(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_behind_a_name_is_found() {
        let text = "Size:  12 kB\nRss:\t 1234 kB\n";
        assert_eq!((kib(text, "Rss:"), kib(text, "Pss:")), (1234.0, 0.0));
    }
}
