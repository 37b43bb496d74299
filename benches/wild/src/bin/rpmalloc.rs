//! The programs with rpmalloc.

use std::process::ExitCode;

#[path = "../../../peers/src/contestants/rpmalloc.rs"]
mod rpmalloc;

#[global_allocator]
static ALLOC: rpmalloc::RpMalloc = rpmalloc::RpMalloc;

fn main() -> ExitCode {
    framepool_wild::main()
}
