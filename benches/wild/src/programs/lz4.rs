//! lz4_flex: compresses frames and decompresses them.

use super::Program;
use crate::{Checksum, picture};

pub const PROGRAM: Program =
    Program { name: "lz4", of: "lz4_flex", does: "frames of 1.3 MiB, compressed and back", threads: 1, run };

fn run() -> u32 {
    let frames: Vec<_> = (0..4).map(|n| picture(1280, 720, 1, n)).collect();
    let mut checksum = Checksum::default();
    for n in 0..160 {
        let packed = lz4_flex::compress_prepend_size(&frames[n % 4]);
        let frame = lz4_flex::decompress_size_prepended(&packed).expect("whole");
        checksum.add(&frame[..4096]);
        checksum.add(&packed[..4096]);
    }
    checksum.finish()
}
