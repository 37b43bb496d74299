//! The programs with the pools.

use std::process::ExitCode;

#[global_allocator]
static ALLOC: framepool::PoolAlloc = framepool::PoolAlloc::new();

fn main() -> ExitCode {
    framepool_wild::main()
}
