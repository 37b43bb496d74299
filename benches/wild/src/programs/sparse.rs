//! fixedbitset: sets of 16 Mi bits, of which few are ever set.

use fixedbitset::FixedBitSet;

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program = Program {
    name: "sparse",
    of: "fixedbitset",
    does: "bit sets of 2 MiB with 200 bits each",
    threads: 1,
    run,
};

fn run() -> u32 {
    let mut random = fastrand::Rng::with_seed(7);
    let mut checksum = Checksum::default();
    for _ in 0..3_000 {
        let mut set = FixedBitSet::with_capacity(16 << 20);
        let bits: Vec<usize> = (0..200).map(|_| random.usize(..16 << 20)).collect();
        bits.iter().for_each(|&bit| set.insert(bit));
        // Only what was set and what lies beside it is read.
        for bit in bits {
            checksum.add(&[u8::from(set.contains(bit)), u8::from(set.contains(bit ^ 1))]);
        }
    }
    checksum.finish()
}
