//! ndarray: arithmetic that makes a new array for each step.

use ndarray::Array2;

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program = Program {
    name: "matrices",
    of: "ndarray",
    does: "arrays of 0.9 to 3.7 MB, step by step",
    threads: 1,
    run,
};

fn run() -> u32 {
    let mut checksum = Checksum::default();
    for (height, width) in [(360, 640), (540, 960), (720, 1280)] {
        let luma = Array2::from_shape_fn((height, width), |(y, x)| ((x * y) % 255) as f32);
        let mut mean = Array2::<f32>::zeros((height, width));
        for n in 0..30 {
            let frame = &luma + n as f32;
            let difference = &frame - &mean;
            let squared = &difference * &difference;
            mean = &mean + &(&difference * 0.1);
            checksum.add(&squared[(n, n)].to_le_bytes());
        }
        checksum.add(&mean.sum().to_le_bytes());
    }
    checksum.finish()
}
