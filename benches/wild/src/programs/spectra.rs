//! rustfft: spectra of long windows.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex32;

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program =
    Program { name: "spectra", of: "rustfft", does: "transforms of 32 Ki to 256 Ki points", threads: 1, run };

fn run() -> u32 {
    let mut planner = FftPlanner::new();
    let mut checksum = Checksum::default();
    for round in 0..12_u32 {
        for log2 in 15..=18 {
            let transform = planner.plan_fft_forward(1 << log2);
            let wave = (0..1_u32 << log2).map(|n| Complex32::new((n ^ round) as f32 % 251.0, 0.0));
            let mut wave: Vec<_> = wave.collect();
            transform.process(&mut wave);
            let powers: Vec<f32> = wave.iter().map(|value| value.norm_sqr()).collect();
            powers.iter().for_each(|power| checksum.add(&power.to_le_bytes()));
        }
    }
    checksum.finish()
}
