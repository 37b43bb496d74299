//! Programs around crates that know nothing of framepool, each a driver of at most a page.
//!
//! They are compiled once, and linked once for each allocator: see `src/bin`. A program makes its own input, does its
//! work, and returns a checksum of all that it made, which is the same under every allocator.

mod programs;
mod ready;

use std::env;
use std::process::ExitCode;

pub use programs::{PROGRAMS, Program};

/// Runs the program that the first argument names, and prints its checksum and, if it times its frames, how long they took to
/// be ready: the frames, then p50 and p99.9 in microseconds.
pub fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_default();
    let Some(program) = PROGRAMS.iter().find(|program| program.name == name) else {
        eprintln!("there is no program {name:?}");
        return ExitCode::from(2);
    };
    let checksum = (program.run)();
    match ready::Samples::all() {
        Some(samples) => println!("{checksum:08x} {samples}"),
        None => println!("{checksum:08x}"),
    }
    ExitCode::SUCCESS
}

/// A checksum of all bytes that a program makes.
#[derive(Default)]
struct Checksum(crc32fast::Hasher);

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> u32 {
        self.0.finalize()
    }
}

/// Returns a picture of so many bytes a pixel: gradients with noise, so that codecs have work to do.
fn picture(width: usize, height: usize, channels: usize, seed: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed as u64);
    let mut bytes = Vec::with_capacity(width * height * channels);
    for y in 0..height {
        for x in 0..width {
            let noise = random.u8(..8);
            bytes.extend((0..channels).map(|channel| match channel {
                3 => 255,
                _ => ((x * (channel + 1) + y * (3 - channel) + 40 * seed) / 8) as u8 ^ noise,
            }));
        }
    }
    bytes
}
