//! symphonia: decodes WAV files.

use std::io::Cursor;

use symphonia::core::audio::sample::Sample;
use symphonia::core::formats::TrackType;
use symphonia::core::formats::probe::Hint;
use symphonia::core::io::MediaSourceStream;

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program =
    Program { name: "audio", of: "symphonia", does: "20 s of WAV in stereo, decoded", threads: 1, run };

const RATE: u32 = 48_000;
const BYTES: u32 = 4 * 20 * RATE;

fn wav() -> Vec<u8> {
    let mut wav = Vec::with_capacity(BYTES as usize + 44);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(BYTES + 36).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(4 * RATE).to_le_bytes());
    wav.extend_from_slice(b"\x04\0\x10\0data");
    wav.extend_from_slice(&BYTES.to_le_bytes());
    wav.extend((0..BYTES).map(|n| (n % 251) as u8));
    wav
}

fn run() -> u32 {
    let wav: &'static [u8] = wav().leak();
    let mut checksum = Checksum::default();
    for _ in 0..12 {
        let stream = MediaSourceStream::new(Box::new(Cursor::new(wav)), Default::default());
        let probe = symphonia::default::get_probe();
        let probed = probe.probe(&Hint::new(), stream, Default::default(), Default::default());
        let mut format = probed.expect("WAV");
        let track = format.default_track(TrackType::Audio).expect("a track");
        let parameters = track.codec_params.as_ref().and_then(|codec| codec.audio()).expect("audio");
        let codecs = symphonia::default::get_codecs();
        let mut decoder = codecs.make_audio_decoder(parameters, &Default::default()).expect("a decoder");
        while let Some(packet) = format.next_packet().expect("a packet") {
            let block = decoder.decode(&packet).expect("audio");
            let mut samples = vec![f32::MID; block.samples_interleaved()];
            block.copy_to_slice_interleaved(&mut samples);
            samples.iter().for_each(|sample| checksum.add(&sample.to_le_bytes()));
        }
    }
    checksum.finish()
}
