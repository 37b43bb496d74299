//! tokio and lz4_flex: video calls on loopback. Each call captures frames of 720p at a steady pace, encodes them, sends
//! the packets to the other side, and decodes them there.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

use super::Program;
use crate::{Checksum, picture, ready};

pub const PROGRAM: Program = Program {
    name: "calls",
    of: "tokio, lz4_flex",
    does: "3 video calls of 720p, encoded, sent and decoded",
    threads: 2,
    run,
};

const CALLS: usize = 3;
const FRAMES: usize = 454;
/// Frames of the first second, which are not timed: a server that runs for weeks has no start.
const START: usize = 120;
/// Quicker than cameras are, so that a run is short, and slow enough for two processors.
const FRAMES_PER_S: u64 = 120;
/// The frames that wait for the encoder at most.
const QUEUE: usize = 4;

fn run() -> u32 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let calls: Vec<_> = (0..CALLS).map(|seed| tokio::spawn(call(seed))).collect();
        let mut all = 0_u32;
        for call in calls {
            all = all.wrapping_add(call.await.expect("no panic"));
        }
        all
    })
}

async fn call(seed: usize) -> u32 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a listener");
    let (from, _) = listener.accept().await.expect("a caller");
    let (camera, frames) = mpsc::channel(QUEUE);
    tokio::spawn(capture(seed, camera));
    tokio::spawn(encode(frames, to));
    decode(from).await
}

/// Captures: a copy of what the camera shows, into a new frame.
async fn capture(seed: usize, camera: mpsc::Sender<Vec<u8>>) {
    // The luma of 1280 x 720, and chroma of half its size.
    let shown: Vec<_> = (0..4).map(|view| picture(1280, 1080, 1, 4 * seed + view)).collect();
    let mut pace = tokio::time::interval(Duration::from_nanos(1_000_000_000 / FRAMES_PER_S));
    for frame in 0..FRAMES {
        pace.tick().await;
        let capture = || shown[frame % shown.len()].clone();
        let frame = if frame < START { capture() } else { ready::time(capture) };
        camera.send(frame).await.expect("an encoder");
    }
}

async fn encode(mut frames: mpsc::Receiver<Vec<u8>>, to: TcpStream) {
    let codec = LengthDelimitedCodec::builder().max_frame_length(4 << 20).new_codec();
    let mut to = FramedWrite::new(to, codec);
    while let Some(frame) = frames.recv().await {
        let packet = lz4_flex::compress_prepend_size(&frame);
        to.send(Bytes::from(packet)).await.expect("a viewer");
    }
}

async fn decode(mut from: TcpStream) -> u32 {
    let mut checksum = Checksum::default();
    while let Ok(len) = from.read_u32().await {
        let mut packet = vec![0; len as usize];
        from.read_exact(&mut packet).await.expect("a whole packet");
        let frame = lz4_flex::decompress_size_prepended(&packet).expect("what was encoded");
        checksum.add(&frame);
    }
    checksum.finish()
}
