//! fast_image_resize: scales pictures of 1080p.

use fast_image_resize::images::Image;
use fast_image_resize::{PixelType, Resizer};

use super::Program;
use crate::{Checksum, picture};

pub const PROGRAM: Program =
    Program { name: "resize", of: "fast_image_resize", does: "1080p RGBA to 720p and 360p", threads: 1, run };

fn run() -> u32 {
    let original = picture(1920, 1080, 4, 1);
    let mut checksum = Checksum::default();
    for n in 0..40 {
        let mut frame = original.clone();
        frame[4 * n] ^= 255;
        let frame = Image::from_vec_u8(1920, 1080, frame, PixelType::U8x4).expect("a picture");
        for (width, height) in [(1280, 720), (640, 360)] {
            let mut scaled = Image::new(width, height, PixelType::U8x4);
            Resizer::new().resize(&frame, &mut scaled, None).expect("two pictures");
            checksum.add(scaled.buffer());
        }
    }
    checksum.finish()
}
