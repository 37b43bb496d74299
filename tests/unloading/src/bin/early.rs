//! A program that holds the allocator itself and allocates in a constructor, long before `main`. Its threads
//! still have magazines.

use std::hint::black_box;
use std::process::ExitCode;

use framepool::{Class, PoolAlloc, SlotState};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

/// Runs before the crate's own constructor.
#[used]
#[unsafe(link_section = ".init_array.00050")]
static CONSTRUCTOR: extern "C" fn() = allocate;

extern "C" fn allocate() {
    drop(black_box(vec![0_u8; 1024]));
}

fn main() -> ExitCode {
    let hits = ALLOC.stats().hits();
    drop(black_box(vec![0_u8; 1024]));
    let mut states = [SlotState::Free; 1024];
    let slots = ALLOC.slot_states(Class::Small, &mut states);
    let cached = states[..slots].iter().filter(|&&state| state == SlotState::Cached).count();
    println!("early: {hits} hits before `main`, {cached} slots cached");
    if hits > 0 && cached > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
