//! The neighbour: a process on another processor that copies 48 MiB back and forth, so that the caches are never a
//! program's alone.

use std::hint::black_box;
use std::process::{Child, Command};

use crate::measure::{Machine, pin};

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

/// Starts a neighbour.
pub(crate) fn start(machine: &Machine) -> Result<Neighbour, String> {
    let mut command = Command::new(&machine.this);
    command.arg("--neighbour");
    pin(&mut command, PROCESSOR);
    command.spawn().map(Neighbour).map_err(|error| format!("the neighbour: {error}"))
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // It has no state that could be lost.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}
