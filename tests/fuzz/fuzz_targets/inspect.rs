//! Changes bytes of the memory that a reader of another process finds: each five bytes of the fuzzer's are a position and
//! what is there. The reader must come to an end, without a panic or an absurd allocation.

#![no_main]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{LazyLock, Mutex};

use framepool::inspect::torn::Image;
use framepool::{Config, PoolAlloc};
use libfuzzer_sys::fuzz_target;

static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().record(true).env(false));

static IMAGE: LazyLock<Mutex<Image>> = LazyLock::new(|| {
    for size in [1, 700, 5_000, 200_000, 1_400_000, 3_000_000, 20_000_000] {
        let layout = Layout::from_size_align(size, 1).unwrap();
        // SAFETY: the layout is not empty. The block is never freed.
        assert!(!unsafe { ALLOC.alloc(layout) }.is_null());
    }
    Mutex::new(Image::of_this_process().pop().unwrap())
});

fuzz_target!(|bytes: &[u8]| {
    let mut image = IMAGE.lock().unwrap();
    let changes = bytes.chunks_exact(5).map(|change| {
        let position = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
        // Half of the changes are in the head, which everything else follows from.
        let position = if change[3] & 1 == 0 { 64 + position % 16_384 } else { position };
        (position, change[4])
    });
    let before: Vec<_> = changes.map(|(position, byte)| (position, image.change(position, byte))).collect();
    let _ = image.read();
    for (position, byte) in before.into_iter().rev() {
        image.change(position, byte);
    }
});
