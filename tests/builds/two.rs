//! A program with two versions of the crate: one is the fallback of the other, and has the larger slots.

mod work;

use framepool::PoolAlloc;

const LARGER: other::Config = other::Config::new().class(other::Class::XLarge, 8 << 20, 16);

#[global_allocator]
static ALLOC: PoolAlloc<other::PoolAlloc> =
    PoolAlloc::with_plain_fallback(other::PoolAlloc::with_config(LARGER), framepool::Config::new());

fn main() {
    work::fork_among_threads(200, |id| {
        for size in work::SIZES {
            let mut vector = vec![id; size];
            vector.resize(size + size / 2, id);
            assert!(vector.iter().all(|&byte| byte == id));
            assert!(vec![0_u8; size].iter().all(|&byte| byte == 0));
        }
    });
    let (outer, inner) = (ALLOC.stats(), ALLOC.fallback().stats());
    assert!(outer.hits() > 1_000, "{outer}");
    // 3,000,000 bytes and what they grow to are too large for the outer pools. Small blocks below their floor come, too.
    let larger = inner.class(other::Class::XLarge);
    assert!(larger.hits > 100 && larger.in_use == 0, "{inner}");
    println!("two: {} hits and {} hits", outer.hits(), inner.hits());
}
