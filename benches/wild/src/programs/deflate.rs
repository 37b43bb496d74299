//! flate2: compresses answers of a server, each with a compressor of its own.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::Program;
use crate::{Checksum, picture};

pub const PROGRAM: Program = Program {
    name: "deflate",
    of: "flate2",
    does: "answers of 60 kB, each with a new compressor",
    threads: 1,
    run,
};

fn run() -> u32 {
    let text = picture(200, 100, 3, 9);
    let mut checksum = Checksum::default();
    for n in 0..300 {
        let mut answer = text.clone();
        answer[n] ^= 255;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&answer).expect("room");
        let packed = encoder.finish().expect("room");
        let mut back = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut back).expect("whole");
        assert!(back == answer);
        checksum.add(&packed);
    }
    checksum.finish()
}
