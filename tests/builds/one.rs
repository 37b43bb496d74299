//! A program whose pools are in a Rust dylib. They are not its global allocator: where `std` is a dylib too, no global
//! allocator serves what `std` allocates, and a block of one may be freed by the other (rust-lang/rust#100781).

mod work;

use std::alloc::{GlobalAlloc, Layout};

use framepool::{BufferPool, Class, PoolAlloc};

static POOL: PoolAlloc = PoolAlloc::new();

fn main() {
    let buffers = BufferPool::new();
    work::fork_among_threads(200, |id| {
        for size in work::SIZES {
            let layout = Layout::from_size_align(size, 8).unwrap();
            // SAFETY: not empty; written and read within its size, and freed as it was allocated.
            unsafe {
                let block = POOL.alloc(layout);
                block.write_bytes(id, size);
                assert!(std::slice::from_raw_parts(block, size).iter().all(|&byte| byte == id));
                POOL.dealloc(block, layout);
            }
        }
        assert!(buffers.alloc_zeroed(1_382_400).iter().all(|&byte| byte == 0));
    });
    let stats = POOL.stats();
    for class in Class::ALL {
        let class = stats.class(class);
        assert!(class.hits > 100 && class.in_use == 0, "{stats}");
    }
    println!("one: {} hits, and {} of a BufferPool", stats.hits(), buffers.stats().hits());
}
