//! axum: a server that takes uploads of 4 MiB on loopback, and answers with their checksum.

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program =
    Program { name: "uploads", of: "axum", does: "bodies of 4 MiB, collected and answered", threads: 2, run };

const CLIENTS: u8 = 4;
const UPLOADS: u8 = 20;
const BODY: usize = 4 << 20;

async fn answer(body: Bytes) -> String {
    format!("{:08x}", crc32fast::hash(&body))
}

fn run() -> u32 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let app = axum::Router::new().route("/", post(answer)).layer(DefaultBodyLimit::max(2 * BODY));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let clients: Vec<_> = (0..CLIENTS).map(|id| tokio::spawn(upload(port, id))).collect();
        let mut all = 0_u32;
        for client in clients {
            all = all.wrapping_add(client.await.expect("no panic"));
        }
        all
    })
}

async fn upload(port: u16, id: u8) -> u32 {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("a server");
    let mut checksum = Checksum::default();
    for n in 0..UPLOADS {
        let head = format!("POST / HTTP/1.1\r\nHost: wild\r\nContent-Length: {BODY}\r\n\r\n");
        server.write_all(head.as_bytes()).await.expect("a server that reads");
        let part = [id ^ n; 1 << 16];
        for _ in 0..BODY / part.len() {
            server.write_all(&part).await.expect("a server that reads");
        }
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") || answer.len() < 12 {
            assert!(server.read_buf(&mut answer).await.expect("an answer") > 0, "an answer");
        }
        // The body is the end of what came, and has 8 bytes.
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        while answer.len() < head + 8 {
            server.read_buf(&mut answer).await.expect("an answer");
        }
        checksum.add(&answer[head..]);
    }
    checksum.finish()
}
