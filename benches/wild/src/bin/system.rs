//! The programs with the system's allocator.

use std::process::ExitCode;

fn main() -> ExitCode {
    framepool_wild::main()
}
