//! image-webp: encodes and decodes lossless WebP of 720p.

use std::io::Cursor;

use image_webp::{ColorType, WebPDecoder, WebPEncoder};

use super::Program;
use crate::{Checksum, picture};

pub const PROGRAM: Program =
    Program { name: "webp", of: "image-webp", does: "720p RGB, encoded and decoded", threads: 1, run };

fn run() -> u32 {
    let picture = picture(1280, 720, 3, 4);
    let mut checksum = Checksum::default();
    for n in 0..6 {
        let mut frame = picture.clone();
        frame[n] ^= 255;
        let mut bytes = Vec::new();
        WebPEncoder::new(&mut bytes).encode(&frame, 1280, 720, ColorType::Rgb8).expect("room");
        let mut decoder = WebPDecoder::new(Cursor::new(&bytes)).expect("a WebP");
        let mut decoded = vec![0; decoder.output_buffer_size().expect("a size")];
        decoder.read_image(&mut decoded).expect("a picture");
        assert!(decoded == frame);
        checksum.add(&bytes);
    }
    checksum.finish()
}
