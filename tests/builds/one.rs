//! A program whose allocator is in a Rust dylib.

mod work;

use framepool::{Class, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

fn main() {
    work::fork_among_threads(200);
    let stats = ALLOC.stats();
    for class in Class::ALL {
        let class = stats.class(class);
        assert!(class.hits > 100 && class.in_use <= 8, "{stats}");
    }
    println!("one: {} hits", stats.hits());
}
