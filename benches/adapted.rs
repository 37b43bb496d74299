//! The criterion suite with glibc's thresholds raised, as after one large free: see `README.md` beside this
//! file.

mod baselines;
mod common;
mod suite;

fn main() {
    suite::run("adapted");
}
