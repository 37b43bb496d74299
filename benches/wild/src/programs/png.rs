//! png: encodes and decodes screenshots of 1080p.

use std::io::Cursor;

use super::Program;
use crate::{Checksum, picture};

pub const PROGRAM: Program =
    Program { name: "png", of: "png", does: "1080p RGBA, encoded and decoded", threads: 1, run };

fn run() -> u32 {
    let screen = picture(1920, 1080, 4, 3);
    let mut checksum = Checksum::default();
    for n in 0..4 {
        let mut frame = screen.clone();
        frame[n] ^= 255;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1920, 1080);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().expect("room");
        writer.write_image_data(&frame).expect("room");
        writer.finish().expect("room");
        let mut reader = png::Decoder::new(Cursor::new(&bytes)).read_info().expect("a PNG");
        let mut decoded = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut decoded).expect("a frame");
        assert!(decoded == frame);
        checksum.add(&bytes);
    }
    checksum.finish()
}
