//! The smallest program that prints its statistics. One line makes the pools serve its vectors.

#[global_allocator]
static ALLOC: framepool::PoolAlloc = framepool::PoolAlloc::new();

fn main() {
    let mut bytes = 0;
    for frame in 0..1_000 {
        let picture = vec![frame as u8; 1280 * 720 * 3 / 2];
        let sound = vec![0_u8; 960];
        bytes += picture.len() + sound.len();
    }
    println!("{bytes} bytes in 2000 buffers\n{}", ALLOC.stats().named("Hello"));
}
