//! image: a thumbnail server. Decodes JPEG pictures of many sizes, scales them and encodes them.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

use super::Program;
use crate::{Checksum, picture};

pub const PROGRAM: Program = Program {
    name: "pictures",
    of: "image",
    does: "JPEG of 0.3 to 3 megapixels, to thumbnails",
    threads: 1,
    run,
};

fn encode(picture: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(picture).expect("room");
    bytes
}

fn run() -> u32 {
    let pictures: Vec<_> = (0..6)
        .map(|n| {
            let (width, height) = (640 + 270 * n, 480 + 190 * n);
            let bytes = picture(width, height, 3, n);
            encode(&RgbImage::from_raw(width as u32, height as u32, bytes).expect("a picture").into())
        })
        .collect();
    let mut checksum = Checksum::default();
    for _ in 0..3 {
        for bytes in &pictures {
            let reader =
                image::ImageReader::new(Cursor::new(bytes)).with_guessed_format().expect("in memory");
            let full = reader.decode().expect("a JPEG");
            for side in [512, 128] {
                checksum.add(&encode(&full.resize(side, side, FilterType::Triangle)));
            }
        }
    }
    checksum.finish()
}
