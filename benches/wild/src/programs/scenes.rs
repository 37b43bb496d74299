//! av-scenechange: looks for changes of scene in video.

use std::io::Read;

use av_decoders::{Decoder, DecoderImpl};
use av_scenechange::{DetectionOptions, detect_scene_changes};

use super::Program;
use crate::{Checksum, picture};

pub const PROGRAM: Program = Program {
    name: "scenes",
    of: "av-scenechange",
    does: "48 frames of 640 x 360, searched for cuts",
    threads: 1,
    run,
};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

fn run() -> u32 {
    let mut video = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F30:1 C420jpeg\n").into_bytes();
    for frame in 0..48 {
        video.extend_from_slice(b"FRAME\n");
        // A new scene every 12 frames.
        let luma = picture(WIDTH, HEIGHT, 1, 1 + frame / 12 * 50 + frame % 12);
        video.extend_from_slice(&luma);
        video.extend(std::iter::repeat_n(128, WIDTH * HEIGHT / 2));
    }
    let video: &'static [u8] = video.leak();
    let mut checksum = Checksum::default();
    for _ in 0..3 {
        let reader = y4m::decode(Box::new(video) as Box<dyn Read>).expect("a video");
        let mut decoder = Decoder::from_decoder_impl(DecoderImpl::Y4m(reader)).expect("a decoder");
        let options = DetectionOptions::default();
        let found = detect_scene_changes::<u8>(&mut decoder, options, None, None, None).expect("scenes");
        assert_eq!(found.frame_count, 48);
        found.scene_changes.iter().for_each(|&scene| checksum.add(&scene.to_le_bytes()));
    }
    checksum.finish()
}
