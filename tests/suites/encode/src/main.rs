//! `encode CLIP OUT FRAMES`: encodes the first frames of a clip (y4m, 4:2:0, 8 bits) with rav1e, and writes
//! all packets to a file.
//!
//! The quantizer, the number of tiles and the number of threads are fixed. rav1e's output does not depend on
//! which thread finishes first, so the file is the same in every run. If the clip is `-`, the program makes
//! up a moving picture of 640 x 360.
//!
//! The first line on standard output says how much was encoded. The second line says how many of the
//! encoder's planes a pool served. Counted are the planes of each frame that goes in, and of each frame that
//! the encoder reconstructs.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::BufReader;
use std::process::ExitCode;

use framepool_suites::{ALLOCATOR, Allocator, is_hit};
use rav1e::prelude::*;

#[global_allocator]
static ALLOC: Allocator = ALLOCATOR;

const SPEED: u8 = 9;
const QUANTIZER: usize = 120;
const TILES: usize = 4;
const THREADS: usize = 2;
const GENERATED: (usize, usize) = (640, 360);

/// Luma and the two chroma planes, without gaps.
type Picture = Vec<u8>;

/// The number of planes, the number of those in a slot, and the size of the largest in bytes.
#[derive(Default)]
struct Planes {
    all: usize,
    hits: usize,
    largest: usize,
}

impl Planes {
    fn see(&mut self, frame: &Frame<u8>) {
        for plane in &frame.planes {
            self.all += 1;
            self.hits += usize::from(is_hit(&ALLOC, plane.data.as_ptr()));
            self.largest = self.largest.max(plane.data.len());
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [clip, out, frames] = arguments.as_slice() else {
        eprintln!("encode: it takes a clip or -, a file to write, and a number of frames");
        return ExitCode::from(2);
    };
    match run(clip, out, frames) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("encode: {clip}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(clip: &str, out: &str, frames: &str) -> Result<(), Box<dyn Error>> {
    let max: usize = frames.parse()?;
    let ((width, height), mut pictures) = if clip == "-" { generated() } else { read(clip)? };
    let settings = EncoderConfig {
        width,
        height,
        quantizer: QUANTIZER,
        tiles: TILES,
        ..EncoderConfig::with_speed_preset(SPEED)
    };
    let config = Config::new().with_encoder_config(settings).with_threads(THREADS);
    let mut encoder: Context<u8> = config.new_context()?;
    let (mut stream, mut packets, mut planes) = (Vec::new(), 0, Planes::default());
    let mut sent = 0;
    // The loop ends: each round sends a frame, receives a packet, or gets the answer that there are no more.
    loop {
        match encoder.receive_packet() {
            Ok(packet) => {
                packets += 1;
                stream.extend_from_slice(&packet.data);
                packet.rec.iter().for_each(|frame| planes.see(frame));
            }
            Err(EncoderStatus::Encoded) => {}
            Err(EncoderStatus::NeedMoreData) => match pictures.next().filter(|_| sent < max).transpose()? {
                Some(picture) => {
                    sent += 1;
                    let frame = filled(encoder.new_frame(), &picture, width, height);
                    planes.see(&frame);
                    encoder.send_frame(frame)?;
                }
                None => encoder.flush(),
            },
            Err(EncoderStatus::LimitReached) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if packets == 0 || packets != sent {
        return Err(format!("{packets} packets for {sent} frames").into());
    }
    fs::write(out, &stream)?;
    println!("{sent} frames of {width} x {height}, {packets} packets, {} bytes", stream.len());
    println!("{} of {} planes of up to {} bytes are hits", planes.hits, planes.all, planes.largest);
    Ok(())
}

fn filled(mut frame: Frame<u8>, picture: &[u8], width: usize, height: usize) -> Frame<u8> {
    let chroma = width.div_ceil(2) * height.div_ceil(2);
    let (luma, rest) = picture.split_at(width * height);
    let (blue, red) = rest.split_at(chroma);
    for (plane, (pixels, stride)) in
        frame.planes.iter_mut().zip([(luma, width), (blue, width.div_ceil(2)), (red, width.div_ceil(2))])
    {
        plane.copy_from_raw_u8(pixels, stride, 1);
    }
    frame
}

/// A size, and the pictures of that size.
type Source = ((usize, usize), Box<dyn Iterator<Item = Result<Picture, y4m::Error>>>);

fn read(clip: &str) -> Result<Source, Box<dyn Error>> {
    let mut decoder = y4m::decode(BufReader::new(File::open(clip)?))?;
    let colours = decoder.get_colorspace();
    if !matches!(colours, y4m::Colorspace::C420 | y4m::Colorspace::C420jpeg | y4m::Colorspace::C420mpeg2) {
        return Err(format!("it is {colours:?}, not 4:2:0 of 8 bits").into());
    }
    let size = (decoder.get_width(), decoder.get_height());
    let next = move || match decoder.read_frame() {
        Ok(frame) => Some(Ok([frame.get_y_plane(), frame.get_u_plane(), frame.get_v_plane()].concat())),
        Err(y4m::Error::EOF) => None,
        Err(error) => Some(Err(error)),
    };
    Ok((size, Box::new(std::iter::from_fn(next))))
}

/// Returns made-up pictures: slopes that move, with a texture that does not.
fn generated() -> Source {
    let (width, height) = GENERATED;
    let picture = move |frame: usize| {
        let luma = (0..width * height).map(move |pixel| {
            let (x, y) = (pixel % width, pixel / width);
            (x + y / 2 + 3 * frame + (x * y % 7)) as u8
        });
        let chroma = (0..width * height / 2).map(move |pixel| (pixel / (width / 2) + 2 * frame) as u8);
        luma.chain(chroma).collect()
    };
    (GENERATED, Box::new((0..).map(move |frame| Ok(picture(frame)))))
}
