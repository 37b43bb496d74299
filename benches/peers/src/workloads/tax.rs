//! The cost of requests that the pools do not serve: the pools and bare `System`, in turns in one process.
//!
//! The two differ by a nanosecond or less, far less than two processes differ from each other. Both therefore
//! use the same heap, in alternating stretches of 10 us. The ratio is the median over neighbouring stretches.

use std::alloc::System;
use std::time::Duration;

use framepool::{Bypass, Class, Config, PoolAlloc};

use crate::clock::ns_in_turns;
use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::{Block, Source};

static FLOORED: PoolAlloc = PoolAlloc::with_config(Config::new().floor(Class::Small, 257));
static PLAIN: PoolAlloc = PoolAlloc::new();

/// Measures requests that a floor on Small sends to the fallback.
pub(crate) fn floor(_: Subject, bytes: usize, time: Duration) -> Outcome {
    pair(&FLOORED, bytes, time)
}

/// Measures requests while every slot of Small that so small a layout may have is taken. The held-back slots
/// are free.
pub(crate) fn open_lane_taken(_: Subject, bytes: usize, time: Duration) -> Outcome {
    let open_lane = Source::new(&PLAIN, bytes);
    let mut taken = Vec::new();
    while PLAIN.stats().bypassed(Bypass::HeldBack) == 0 {
        taken.push(open_lane.block());
    }
    pair(&PLAIN, bytes, time)
}

/// Measures requests while all slots of Small are taken.
pub(crate) fn small_taken(_: Subject, bytes: usize, time: Duration) -> Outcome {
    let slots = Config::new().slots(Class::Small);
    let entitled = Source::new(&PLAIN, Config::new().slot_bytes(Class::Small));
    let _all: Vec<Block> = (0..slots).map(|_| entitled.block()).collect();
    pair(&PLAIN, bytes, time)
}

/// Measures requests that are larger than any slot.
pub(crate) fn too_large(_: Subject, bytes: usize, time: Duration) -> Outcome {
    pair(&PLAIN, bytes, time)
}

/// Measures the nanoseconds to allocate and free a block of `pools` and of `System`, and their ratio.
fn pair(pools: &'static PoolAlloc, bytes: usize, time: Duration) -> Outcome {
    let before = pools.stats();
    let [ours, theirs] = [Source::new(pools, bytes), Source::new(&System, bytes)];
    let [ns, system_ns, ratio] = ns_in_turns(time, || ours.batch::<1>(), || theirs.batch::<1>());
    let stats = pools.stats().since(&before);
    assert_eq!(stats.hits(), 0, "these requests must not be served by the pools:\n{stats}");
    Outcome::of_many([("ns", ns), ("system_ns", system_ns), ("ratio", ratio)])
}
