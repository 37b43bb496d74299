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

/// The requests of a measurement.
#[derive(Clone, Copy)]
enum Request {
    /// A block is allocated and freed.
    Pair,
    /// A block of zeros is allocated and freed.
    ZeroedPair,
    /// A block is reallocated, to 8 bytes more and back.
    ThereAndBack,
}

/// Measures requests that a floor on Small sends to the fallback.
pub(crate) fn floor(_: Subject, bytes: usize, time: Duration) -> Outcome {
    in_turns(&FLOORED, Request::Pair, bytes, time)
}

/// Measures zeroed requests that a floor on Small sends to the fallback.
pub(crate) fn zeroed_floor(_: Subject, bytes: usize, time: Duration) -> Outcome {
    in_turns(&FLOORED, Request::ZeroedPair, bytes, time)
}

/// Measures reallocations that a floor on Small sends to the fallback.
pub(crate) fn realloc_floor(_: Subject, bytes: usize, time: Duration) -> Outcome {
    in_turns(&FLOORED, Request::ThereAndBack, bytes, time)
}

/// Measures requests while every slot of Small that so small a layout may have is taken. The held-back slots
/// are free.
pub(crate) fn open_lane_taken(_: Subject, bytes: usize, time: Duration) -> Outcome {
    with_open_lane_taken(Request::Pair, bytes, time)
}

/// Measures zeroed requests in that state.
pub(crate) fn zeroed_open_lane_taken(_: Subject, bytes: usize, time: Duration) -> Outcome {
    with_open_lane_taken(Request::ZeroedPair, bytes, time)
}

/// Measures reallocations in that state.
pub(crate) fn realloc_open_lane_taken(_: Subject, bytes: usize, time: Duration) -> Outcome {
    with_open_lane_taken(Request::ThereAndBack, bytes, time)
}

fn with_open_lane_taken(request: Request, bytes: usize, time: Duration) -> Outcome {
    let open_lane = Source::new(&PLAIN, bytes);
    let mut taken = Vec::new();
    while PLAIN.stats().bypassed(Bypass::HeldBack) == 0 {
        taken.push(open_lane.block());
    }
    in_turns(&PLAIN, request, bytes, time)
}

/// Measures requests while all slots of Small are taken.
pub(crate) fn small_taken(_: Subject, bytes: usize, time: Duration) -> Outcome {
    let slots = Config::new().slots(Class::Small);
    let entitled = Source::new(&PLAIN, Config::new().slot_bytes(Class::Small));
    let _all: Vec<Block> = (0..slots).map(|_| entitled.block()).collect();
    in_turns(&PLAIN, Request::Pair, bytes, time)
}

/// Measures requests that are larger than any slot.
pub(crate) fn too_large(_: Subject, bytes: usize, time: Duration) -> Outcome {
    in_turns(&PLAIN, Request::Pair, bytes, time)
}

/// Measures the nanoseconds of a request to `pools` and to `System`, and their ratio.
fn in_turns(pools: &'static PoolAlloc, request: Request, bytes: usize, time: Duration) -> Outcome {
    let before = pools.stats();
    let [ours, theirs] = [Source::new(pools, bytes), Source::new(&System, bytes)];
    let [ns, system_ns, ratio] = match request {
        Request::Pair => ns_in_turns(time, || ours.batch::<1>(), || theirs.batch::<1>()),
        Request::ZeroedPair => {
            ns_in_turns(time, || drop(ours.zeroed_block()), || drop(theirs.zeroed_block()))
        }
        Request::ThereAndBack => {
            let [mut one, mut other] = [ours.block(), theirs.block()];
            let there_and_back = |block: &mut Block| {
                block.resize(bytes + 8);
                block.resize(bytes);
            };
            ns_in_turns(time, || there_and_back(&mut one), || there_and_back(&mut other))
        }
    };
    let stats = pools.stats().since(&before);
    assert_eq!(stats.hits(), 0, "these requests must not be served by the pools:\n{stats}");
    Outcome::of_many([("ns", ns), ("system_ns", system_ns), ("ratio", ratio)])
}
