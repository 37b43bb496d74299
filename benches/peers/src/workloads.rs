//! The workloads: each one's name, sizes, entrants and function, in the order of the tables.

mod bursts;
pub(crate) mod frame_ready;
mod frames;
mod queue;
mod relay;
mod start_up;
mod tax;
mod threads;
mod vecs;
mod walk;

use std::time::Duration;

use crate::contestants::{Contestant, FULL_HD_BYTES, Kind, Subject};
use crate::outcome::Outcome;
use crate::quartiles::figure;

/// A piece of work that contestants do with blocks of a given size.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// A description of its figures, for the head of its table.
    pub(crate) about: &'static str,
    /// Block sizes in bytes. The size [`MIXED`] stands for a mix of sizes.
    pub(crate) sizes: &'static [usize],
    entrants: Entrants,
    /// The length of a sample, as a multiple of a plain sample.
    pub(crate) samples_long: u32,
    pub(crate) run: fn(Subject, usize, Duration) -> Outcome,
}

/// The contestants that take part.
#[derive(Clone, Copy, Debug)]
enum Entrants {
    /// The pools, all peers, all references, the ring, and the named variants of the pools.
    All(&'static [&'static str]),
    /// All of those without the ring, which cannot run the workload.
    Allocators(&'static [&'static str]),
    /// The pools alone, which are measured beside `System` in one process.
    Pools,
}

impl Workload {
    /// Whether that contestant takes part with that size.
    pub(crate) fn admits(&self, contestant: &Contestant, bytes: usize) -> bool {
        let admitted = match (self.entrants, contestant.kind) {
            (Entrants::Pools, _) => contestant.name == "framepool",
            (_, Kind::Peer | Kind::Reference) => true,
            (Entrants::All(_), Kind::Limit) => true,
            (Entrants::Allocators(_), Kind::Limit) => false,
            (Entrants::All(variants) | Entrants::Allocators(variants), Kind::Ours) => {
                contestant.name == "framepool" || variants.contains(&contestant.name)
            }
        };
        admitted && bytes <= contestant.max_bytes
    }
}

/// A size within each class, none of them a power of two. Powers of two are the pools' slots, and the sizes
/// where other allocators waste most.
pub(crate) const CLASS_SIZES: [usize; 4] = [1_000, 40_000, 200_000, HD_BYTES];

/// The bytes of a 720p 4:2:0 frame.
const HD_BYTES: usize = 1280 * 720 * 3 / 2;

const FRAME_SIZES: [usize; 2] = [HD_BYTES, FULL_HD_BYTES];

const PAIRS: Workload = Workload {
    name: "pairs",
    about: "One block allocated and freed, over and over, ns a pair.",
    sizes: &CLASS_SIZES,
    entrants: Entrants::All(&["framepool_hardened"]),
    samples_long: 1,
    run: bursts::run::<1>,
};

/// Every workload.
pub(crate) const WORKLOADS: &[Workload] = &[
    PAIRS,
    Workload {
        name: "bursts_16",
        about: "16 blocks held, then freed, oldest first, ns a block. Nothing is written.",
        run: bursts::run::<16>,
        ..PAIRS
    },
    Workload {
        name: "bursts_64",
        about: "64 blocks held, then freed: more than Large has slots in the default table, ns a block.",
        run: bursts::run::<64>,
        ..PAIRS
    },
    Workload {
        name: "queue_8",
        about: "A queue of 8 blocks, each written through, ns a block.",
        entrants: Entrants::All(&[]),
        samples_long: 2,
        run: queue::run,
        ..PAIRS
    },
    Workload {
        name: "frame_ready",
        about: "Until a frame can be written (allocate, touch each page), queue depth wandering between 0 and 24, ns.",
        sizes: &FRAME_SIZES,
        entrants: Entrants::All(&["framepool_prewarmed", "framepool_fitted"]),
        samples_long: 60,
        run: frame_ready::run,
    },
    Workload {
        name: "frame_ready_turns",
        about: "The same with all allocators in one process, in turns of 64 frames, ns.",
        sizes: &[HD_BYTES],
        entrants: Entrants::Pools,
        samples_long: 120,
        run: frame_ready::run_in_turns,
    },
    Workload {
        name: "frame_copy",
        about: "A frame copied into a new one, in a queue of 8, ns a frame.",
        sizes: &FRAME_SIZES,
        entrants: Entrants::All(&["framepool_coloured"]),
        samples_long: 4,
        run: frames::copy,
    },
    Workload {
        name: "frame_convert",
        about: "A 4:2:0 frame with a luma plane of that size converted to red, green and blue, each plane a block, ns a frame.",
        sizes: &[1280 * 720, 1920 * 1080],
        entrants: Entrants::Allocators(&["framepool_coloured"]),
        samples_long: 4,
        run: frames::convert,
    },
    Workload {
        name: "hand_off",
        about: "Allocated by one thread, freed by another, 16 under way at most, ns a block.",
        entrants: Entrants::Allocators(&[]),
        samples_long: 2,
        run: relay::hand_off,
        ..PAIRS
    },
    Workload {
        name: "survivors",
        about: "The same with the sizes of a chat server, written a byte a page; 1 block in 16 lives long, ns a block.",
        sizes: &[MIXED],
        entrants: Entrants::Allocators(&[]),
        samples_long: 4,
        run: relay::survivors,
    },
    Workload {
        name: "threads_pairs",
        about: "Pairs on 1 to 16 threads at once, ns of processor time a pair; `control` is a loop without an allocator.",
        entrants: Entrants::All(&[]),
        run: threads::pairs,
        ..PAIRS
    },
    Workload {
        name: "threads_bursts",
        about: "Bursts of 16 on 1 and 2 threads at once, ns a block.",
        entrants: Entrants::All(&[]),
        run: threads::bursts,
        ..PAIRS
    },
    Workload {
        name: "vec_zeroed",
        about: "`vec![0; n]` on memory that was used before, then written and dropped, ns a vector.",
        entrants: Entrants::Allocators(&[]),
        run: vecs::zeroed,
        ..PAIRS
    },
    Workload {
        name: "vec_grown",
        about: "A vector grown to 2 MiB in steps of 4 KiB, each written, then dropped, ns a vector.",
        sizes: &[2 << 20],
        entrants: Entrants::Allocators(&[]),
        samples_long: 4,
        run: vecs::grown,
    },
    Workload {
        name: "vec_pushed",
        about: "A vector that gets its bytes 1 KiB at a time and doubles its capacity, then dropped, ns a vector.",
        sizes: &[4 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20],
        entrants: Entrants::Allocators(&[]),
        samples_long: 2,
        run: vecs::pushed,
    },
    Workload {
        name: "walk",
        about: "1,000 small objects, read and written in turn, ns an object.",
        sizes: &[64, 200],
        entrants: Entrants::Allocators(&["framepool_unheld"]),
        run: walk::run,
        ..PAIRS
    },
    Workload {
        name: "tax_floor",
        about: "Pairs below a floor on Small, and the same of `System`, ns.",
        sizes: &[24, 200],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::floor,
    },
    Workload {
        name: "tax_open_lane",
        about: "Pairs while Small's open lane is taken, and the same of `System`, ns.",
        sizes: &[24, 200],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::open_lane_taken,
    },
    Workload {
        name: "tax_small",
        about: "Pairs while all of Small is taken, and the same of `System`, ns.",
        sizes: &[24, 200],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::small_taken,
    },
    Workload {
        name: "tax_zeroed_floor",
        about: "Zeroed pairs below a floor on Small, and the same of `System`, ns.",
        sizes: &[24, 200],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::zeroed_floor,
    },
    Workload {
        name: "tax_zeroed_open_lane",
        about: "Zeroed pairs while Small's open lane is taken, and the same of `System`, ns.",
        sizes: &[24, 200],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::zeroed_open_lane_taken,
    },
    Workload {
        name: "tax_realloc_floor",
        about: "Two reallocations below a floor on Small, and the same of `System`, ns.",
        sizes: &[24, 200],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::realloc_floor,
    },
    Workload {
        name: "tax_realloc_open_lane",
        about: "Two reallocations while Small's open lane is taken, and the same of `System`, ns.",
        sizes: &[24, 200],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::realloc_open_lane_taken,
    },
    Workload {
        name: "tax_large",
        about: "Pairs larger than any slot, and the same of `System`, ns.",
        sizes: &[8 << 20],
        entrants: Entrants::Pools,
        samples_long: 4,
        run: tax::too_large,
    },
    Workload {
        name: "start_up",
        about: "The first block of a process, and what it and one untouched block of each class add to the process.",
        sizes: &[1_000],
        entrants: Entrants::Allocators(&[]),
        run: start_up::run,
        ..PAIRS
    },
];

/// The size that stands for blocks of many sizes.
const MIXED: usize = 1;

/// Formats a block size for the tables.
pub(crate) fn size_in_words(bytes: usize) -> String {
    match bytes {
        MIXED => "mixed".to_owned(),
        below_thousand @ ..1_000 => format!("{below_thousand} B"),
        _ => format!("{} B", figure(bytes as f64)),
    }
}

/// Returns the workload with that name, if there is one.
pub(crate) fn named(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}
