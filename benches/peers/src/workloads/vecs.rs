//! The requests of `Vec` beside `alloc`: zeros, and growth.

use std::mem::MaybeUninit;
use std::time::Duration;

use crate::clock::ns_a_step;
use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::Source;

/// Measures the nanoseconds of `vec![0; bytes]`, written through and dropped, over and over. The memory was
/// used before, so either the allocator or the kernel must clear it.
pub(crate) fn zeroed(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    let ns = ns_a_step(time, || {
        source.zeroed_block().fill(0xA5);
    });
    Outcome::of("ns", ns)
}

/// The growth of the vector in each step, in bytes.
const STEP_BYTES: usize = 4096;

/// Measures the nanoseconds for a vector of 4 KiB to grow to `bytes` in steps of 4 KiB, each of them written,
/// and to be dropped.
pub(crate) fn grown(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, STEP_BYTES);
    let ns = ns_a_step(time, || {
        let mut vector = source.block();
        for length in (STEP_BYTES * 2..=bytes).step_by(STEP_BYTES) {
            vector.resize(length);
            for place in &mut vector.spare()[length - STEP_BYTES..] {
                place.write(0xA5);
            }
        }
    });
    Outcome::of("ns", ns)
}

/// The bytes that are pushed at a time.
const PUSHED: usize = 1024;

/// Measures the nanoseconds for an empty vector to get `bytes` bytes, 1 KiB at a time, and to be dropped. Its capacity
/// doubles, as `Vec`'s does.
pub(crate) fn pushed(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, PUSHED);
    let piece = [MaybeUninit::new(0xA5); PUSHED];
    let ns = ns_a_step(time, || {
        let (mut vector, mut capacity) = (source.block(), PUSHED);
        for at in (0..bytes).step_by(PUSHED) {
            if at == capacity {
                capacity *= 2;
                vector.resize(capacity);
            }
            vector.spare()[at..at + PUSHED].copy_from_slice(&piece);
        }
    });
    Outcome::of("ns", ns)
}
