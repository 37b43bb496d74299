//! tokio: connections that have a read buffer of 1 MiB each, for messages of 4 KiB.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program = Program {
    name: "read_buffers",
    of: "bytes",
    does: "buffers of 1 MiB for messages of 4 KiB",
    threads: 1,
    run,
};

const MESSAGE: usize = 4096;

fn run() -> u32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut checksum = Checksum::default();
        for n in 0..4_000_u32 {
            // Eight connections at once, each for a few messages.
            for id in 0..8 {
                let (mut from, mut to) = duplex(2 * MESSAGE);
                let mut buffer = BytesMut::with_capacity(1 << 20);
                for part in 0..4 {
                    to.write_all(&[(n + id + part) as u8; MESSAGE]).await.expect("a reader");
                    while buffer.len() < MESSAGE {
                        from.read_buf(&mut buffer).await.expect("a writer");
                    }
                    checksum.add(&buffer.split_to(MESSAGE));
                }
            }
        }
        checksum.finish()
    })
}
