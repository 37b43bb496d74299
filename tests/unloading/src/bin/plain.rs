//! A program that holds the allocator itself. However it was linked, its threads have magazines, and leave no
//! cached slot behind.

use std::hint::black_box;
use std::process::ExitCode;
use std::thread;

use framepool::{Class, PoolAlloc, SlotState};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

fn cached() -> usize {
    let mut states = [SlotState::Free; 1024];
    let slots = ALLOC.slot_states(Class::Small, &mut states);
    states[..slots].iter().filter(|&&state| state == SlotState::Cached).count()
}

fn main() -> ExitCode {
    drop(black_box(vec![0_u8; 1024]));
    let own = cached();
    let others = thread::spawn(|| {
        // More than the thread itself needed, so that its magazine differs from the first thread's.
        drop(black_box(vec![vec![0_u8; 1024]; 64]));
        cached()
    });
    let both = others.join().unwrap();
    println!("plain: {own} slots cached by one thread, {both} by two");
    if own > 0 && both > own && cached() <= both { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
