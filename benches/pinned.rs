//! The criterion suite with glibc's thresholds pinned to their start-up values: see `README.md` beside this
//! file.

mod baselines;
mod common;
mod suite;

fn main() {
    suite::run("pinned");
}
