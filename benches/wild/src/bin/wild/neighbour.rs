//! The neighbour: a process on another processor that copies 48 MiB back and forth, so that a program shares the memory's
//! bandwidth and the last cache with it. A program of two threads shares that processor with it too.

use std::hint::black_box;
use std::process::{Child, Command};

use crate::binaries::{Binaries, pin};

const BYTES: usize = 24 << 20;
const PROCESSOR: usize = 1;

/// Copies until the process is killed.
pub(crate) fn play() -> ! {
    let (mut here, mut there) = (vec![1_u8; BYTES], vec![2_u8; BYTES]);
    loop {
        there.copy_from_slice(black_box(&here));
        here.copy_from_slice(black_box(&there));
    }
}

/// A neighbour that moves out when it is dropped.
pub(crate) struct Neighbour(Child);

impl Neighbour {
    /// Starts a neighbour.
    pub(crate) fn start(binaries: &Binaries) -> Result<Self, String> {
        let mut command = Command::new(&binaries.this);
        command.arg("--neighbour");
        pin(&mut command, PROCESSOR);
        command.spawn().map(Self).map_err(|error| format!("the neighbour: {error}"))
    }

    /// Checks that it is still there: what was measured beside nothing is not what it says.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.0.try_wait() {
            Ok(None) => Ok(()),
            ended => Err(format!("the neighbour ended: {ended:?}")),
        }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // It has no state that could be lost.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}
