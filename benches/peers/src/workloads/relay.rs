//! Two threads with a short queue between them: one allocates, the other frees.
//!
//! The queue is lock-free and does not use the measured allocator. A thread that finds it full or empty
//! spins, so that no wake-up is timed. The cost of the queue is the same in every figure, and narrows the
//! ratios.

use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::at_once::{displaced, disturbed, undisturbed};
use crate::clock::ns_a_step;
use crate::contestants::Subject;
use crate::outcome::{DISTURBED, Outcome};
use crate::processors;
use crate::source::{Block, Source};

/// The maximum number of blocks in the queue. With those that the two threads hold, it is below the slots of
/// each class in the default table.
const UNDER_WAY: usize = 16;

/// The number of spins before a thread yields its processor: on the order of 100 us, so a yield matters only
/// if the other thread has no processor.
const SPINS: u32 = 10_000;

/// Measures the nanoseconds from one block to the next: allocated and marked by one thread, read and freed by
/// the other.
pub(crate) fn hand_off(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    relay(time, || marked(source), drop)
}

/// The number of places for blocks that outlive their neighbours.
const SURVIVORS: usize = 48;

/// One block in this many survives.
const SURVIVES: usize = 16;

/// Measures the nanoseconds from one block to the next, with the sizes of a chat server: audio packets,
/// encoded frames, thumbnails and pictures. Every page is written. One block in 16 stays until another takes
/// its place.
pub(crate) fn survivors(subject: Subject, _: usize, time: Duration) -> Outcome {
    // The mix of 32 blocks: 18 audio packets, 9 encoded frames, 3 thumbnails, 2 pictures.
    const MIX: [usize; 32] = [
        160, 320, 480, 640, 800, 960, 160, 320, 480, 640, 800, 960, 160, 320, 480, 640, 800, 960, //
        9_000, 14_000, 20_000, 24_000, 28_000, 33_000, 41_000, 48_000, 60_000, //
        230_400, 230_400, 230_400, 1_382_400, 1_382_400,
    ];
    let sources = MIX.map(|bytes| Source::new(subject.allocator, bytes));
    let mut order = fastrand::Rng::with_seed(32);
    let mut fates = fastrand::Rng::with_seed(16);
    let mut table: [Option<Block>; SURVIVORS] = [const { None }; SURVIVORS];
    let make = || {
        let mut block = sources[order.usize(..sources.len())].block();
        block.touch();
        block
    };
    let consume = |block: Block| {
        if fates.usize(..SURVIVES) == 0 {
            table[fates.usize(..SURVIVORS)] = Some(block);
        }
    };
    relay(time, make, consume)
}

#[inline(always)]
fn marked(source: Source) -> Block {
    let mut block = source.block();
    black_box(&mut block.spare()[0]).write(1);
    block
}

/// Measures the nanoseconds of a step of the producer, which in the long run is no faster than the consumer.
/// Also reports how often the two threads did not have a processor each.
fn relay(time: Duration, mut make: impl FnMut() -> Block, mut consume: impl FnMut(Block) + Send) -> Outcome {
    let (own, other) = match *processors::allowed() {
        [first, .., last] => (Some(first), Some(last)),
        _ => (None, None),
    };
    if let Some(own) = own {
        processors::stay_on(own);
    }
    let ns = undisturbed(|| {
        let (mut into, mut from) = RingBuffer::new(UNDER_WAY);
        let start = Instant::now();
        thread::scope(|scope| {
            let consumer = scope.spawn(|| {
                if let Some(other) = other {
                    processors::stay_on(other);
                }
                consume_all(&mut from, &mut consume);
                displaced()
            });
            let before = displaced();
            let ns = ns_a_step(time, || push(&mut into, make()));
            drop(into);
            let lost = displaced() - before;
            let lost = lost.max(consumer.join().expect("a consumer has nothing to stop for"));
            (ns, lost * 10 <= start.elapsed())
        })
    });
    Outcome::of_many([("ns", ns), (DISTURBED, disturbed() as f64)])
}

/// Consumes blocks until the producer is gone and the queue is empty.
fn consume_all(from: &mut Consumer<Block>, mut consume: impl FnMut(Block)) {
    let mut spins = 0;
    loop {
        let is_last = from.is_abandoned();
        match from.pop() {
            Ok(mut block) => {
                black_box(&mut block.spare()[0]);
                consume(block);
            }
            Err(_) if is_last => break,
            Err(_) => wait(&mut spins),
        }
    }
}

#[inline(always)]
fn push(into: &mut Producer<Block>, mut block: Block) {
    let mut spins = 0;
    while let Err(PushError::Full(back)) = into.push(block) {
        block = back;
        wait(&mut spins);
    }
}

fn wait(spins: &mut u32) {
    *spins += 1;
    if spins.is_multiple_of(SPINS) {
        thread::yield_now();
    } else {
        spin_loop();
    }
}
