//! tokio: a server of frames on loopback. Clients send frames of 64 KiB to 2 MiB, and get each back.

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program = Program {
    name: "frames",
    of: "tokio",
    does: "frames of 64 KiB to 2 MiB, sent and returned",
    threads: 2,
    run,
};

const CLIENTS: u64 = 4;
const FRAMES: usize = 60;

fn run() -> u32 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client));
            }
        });
        let clients: Vec<_> = (0..CLIENTS).map(|seed| tokio::spawn(ask(port, seed))).collect();
        let mut all = 0_u32;
        for client in clients {
            all = all.wrapping_add(client.await.expect("no panic"));
        }
        all
    })
}

/// Reads a frame's length and the frame into a new buffer.
async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let len = stream.read_u32().await.ok()?;
    let mut frame = vec![0; len as usize];
    stream.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

async fn serve(client: TcpStream) {
    let (mut from, to) = client.into_split();
    let mut to = FramedWrite::new(to, codec());
    while let Some(mut frame) = read(&mut from).await {
        frame.reverse();
        to.send(Bytes::from(frame)).await.expect("a client that reads");
    }
}

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(4 << 20).new_codec()
}

async fn ask(port: u16, seed: u64) -> u32 {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut from, to) = TcpStream::connect(("127.0.0.1", port)).await.expect("a server").into_split();
    let mut to = FramedWrite::new(to, codec());
    let mut checksum = Checksum::default();
    for _ in 0..FRAMES {
        let frame = vec![random.u8(..); random.usize(64 << 10..2 << 20)];
        let ((), answer) = tokio::join!(
            async { to.send(Bytes::from(frame)).await.expect("a server that reads") },
            read(&mut from)
        );
        checksum.add(&answer.expect("an answer"));
    }
    checksum.finish()
}
