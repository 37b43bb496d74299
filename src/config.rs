//! The table: which slots each class has, and who may have them. A `const` builder, checked when the allocator is built.
//!
//! Nothing here runs after start-up. A table that makes no sense stops the build with a text that says what to change
//! (P10); `check.rs` is the list of what makes sense, and [`Plan`](plan::Plan) is what follows from it.

mod check;
pub(crate) mod environment;
mod error;
mod memory_options;
pub(crate) mod plan;

pub use error::ConfigError;
pub(crate) use error::{Problem, check, reject};
pub(crate) use memory_options::MemoryConfig;

use crate::slots::class::{CLASSES, Class};
use crate::tunables::{
    MAGAZINE_DEFAULT_LIMIT, MAGAZINE_DEFAULT_LIMIT_BYTES, MAGAZINE_FIRST, MAGAZINE_FIRST_BYTES, MAGAZINE_MIN,
};

/// What a user said about one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassConfig {
    pub(crate) slot_bytes: usize,
    slots: usize,
    pub(crate) floor: usize,
    hold_back: HoldBack,
    /// `None`: as its slots' size suggests.
    magazine: Option<usize>,
}

/// How a class keeps its last slots for layouts of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HoldBack {
    /// Half of the slots for layouts of at least a quarter of a slot: the default of Small and Medium.
    Half,
    Slots {
        slots: usize,
        min_bytes: usize,
    },
}

impl HoldBack {
    const NONE: Self = Self::Slots { slots: 0, min_bytes: 0 };
}

impl ClassConfig {
    const fn new(slot_bytes: usize, slots: usize, hold_back: HoldBack) -> Self {
        Self { slot_bytes, slots, floor: 0, hold_back, magazine: None }
    }

    /// Slots held back, and the smallest size in bytes that may have them.
    pub(crate) const fn held_back(&self) -> (usize, usize) {
        match self.hold_back {
            HoldBack::Half => (self.slots / 2, self.slot_bytes / 4),
            HoldBack::Slots { slots, min_bytes } => (slots, min_bytes),
        }
    }

    /// Slots of a lane that a thread may cache in the end.
    const fn magazine(&self) -> usize {
        match self.magazine {
            Some(slots) => slots,
            None => {
                clamp(MAGAZINE_DEFAULT_LIMIT_BYTES / self.slot_bytes, MAGAZINE_MIN, MAGAZINE_DEFAULT_LIMIT)
            }
        }
    }

    /// Slots of a lane that a thread may cache at first.
    const fn first_magazine(&self) -> usize {
        clamp(MAGAZINE_FIRST_BYTES / self.slot_bytes, MAGAZINE_FIRST, MAGAZINE_DEFAULT_LIMIT)
    }
}

const fn clamp(n: usize, min: usize, max: usize) -> usize {
    if n < min {
        min
    } else if n > max {
        max
    } else {
        n
    }
}

/// The table of the four classes and the allocator's switches, built in a `const`.
///
/// ```
/// use framepool::{Class, Config, PoolAlloc};
///
/// const CONFIG: Config = Config::new()
///     .class(Class::XLarge, 3_110_400, 48) // 1080p NV12 frames, 48 of them
///     .floor(Class::Small, 257); // smaller layouts go to the fallback
///
/// static ALLOC: PoolAlloc = PoolAlloc::with_config(CONFIG);
/// # assert_eq!(CONFIG.slot_bytes(Class::XLarge), 3_110_400);
/// ```
///
/// # Errors
///
/// Nonsense is a compile error where the allocator is a `static`, and a panic with the same text where it is built at
/// run time: no slots at all, slot sizes that are not multiples of 64 or do not ascend, more slots than
/// [`MAX_SLOTS`](Config::MAX_SLOTS) in a class, a hold-back that exceeds its class or that nobody could have, a table
/// whose slot map (a byte for each [granule](Config#the-slot-map)) would exceed 1/32 of the slots, or one that exceeds
/// the address space.
///
/// ```compile_fail
/// use framepool::{Class, Config, PoolAlloc};
/// // framepool: Medium slots of 65537 bytes: a slot size is a multiple of 64 bytes; the next one is 65600
/// static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::Medium, 65_537, 64));
/// ```
///
/// # The slot map
///
/// One byte of metadata for each granule of the reservation, where the granule is the largest power of two that divides
/// every slot size: 1 KiB in the default table, so 0.1 % of it. Slot sizes that share few factors of two cost more:
/// 1.6 % at worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) classes: [ClassConfig; CLASSES],
    pub(crate) hardened: bool,
    pub(crate) zero_on_free: bool,
    pub(crate) env: bool,
    pub(crate) record: bool,
    pub(crate) memory: MemoryConfig,
}

impl Default for Config {
    /// The same as [`Config::new`].
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The most slots that one class may have: 131,072.
    pub const MAX_SLOTS: usize = crate::slots::slot_set::MAX_SLOTS;

    /// The default table: Small 1 KiB x 1024, Medium 64 KiB x 64, Large 256 KiB x 32, XLarge 2 MiB x 64.
    ///
    /// Small and Medium [hold back](Config::hold_back) half of their slots for layouts of at least a quarter of a slot:
    /// 512 slots for 256 bytes and more, 32 slots for 16 KiB and more. No class has a [floor](Config::floor).
    pub const fn new() -> Self {
        Self {
            classes: [
                ClassConfig::new(1 << 10, 1024, HoldBack::Half),
                ClassConfig::new(64 << 10, 64, HoldBack::Half),
                ClassConfig::new(256 << 10, 32, HoldBack::NONE),
                ClassConfig::new(2 << 20, 64, HoldBack::NONE),
            ],
            hardened: false,
            zero_on_free: false,
            env: false,
            record: false,
            memory: MemoryConfig::new(),
        }
    }

    /// Gives `class` `slots` slots of `slot_bytes` bytes each.
    ///
    /// `slot_bytes` is a multiple of 64 and need not be a power of two; sizes must ascend from class to class. Every slot
    /// is aligned to the largest power of two that divides `slot_bytes`, and serves layouts up to that alignment.
    /// `slots` is 1 to [`MAX_SLOTS`](Config::MAX_SLOTS). An untouched slot costs address space only.
    #[must_use]
    pub const fn class(mut self, class: Class, slot_bytes: usize, slots: usize) -> Self {
        self.classes[class as usize].slot_bytes = slot_bytes;
        self.classes[class as usize].slots = slots;
        self
    }

    /// Sends the layouts of `class` that are smaller than `bytes` to the fallback (bypass: below floor). Default: 0.
    ///
    /// A floor above the slot size switches the class off.
    #[must_use]
    pub const fn floor(mut self, class: Class, bytes: usize) -> Self {
        self.classes[class as usize].floor = bytes;
        self
    }

    /// Keeps the last `slots` slots of `class` for layouts of at least `min_bytes` bytes.
    ///
    /// Smaller layouts have the other slots only; when those are taken, they go to the fallback (bypass: held back). Layouts
    /// of `min_bytes` and more try the held-back slots first, then the others. `hold_back(class, 0, 0)` lets every layout
    /// have every slot.
    ///
    /// Default: Small and Medium hold back half of their slots for layouts of at least a quarter of a slot, Large and
    /// XLarge none.
    #[must_use]
    pub const fn hold_back(mut self, class: Class, slots: usize, min_bytes: usize) -> Self {
        self.classes[class as usize].hold_back = HoldBack::Slots { slots, min_bytes };
        self
    }

    /// Lets each thread keep up to `slots` free slots of `class` at hand, in a magazine of its own. 0: no thread keeps any.
    ///
    /// A thread takes from its magazine, and gives to it, without an atomic operation. No slot is out of reach for that: a thread that finds
    /// none elsewhere calls the others' in. Large magazines make for fewer visits to the shared set, and for more slots in use, and so
    /// more memory touched, while others are free.
    ///
    /// A thread gets its magazine when it comes to the shared slots again and again without others in between, or meets others there (for
    /// slots of up to 2 KiB, at once). The magazine starts with four slots, or 1 MiB of them if that is more, and grows while its thread takes and gives in
    /// bursts that it cannot hold: to `slots`, to 57, and to half of the held-back slots (of all, where none is
    /// [held back](Config::hold_back)) and an eighth of the others, whichever is least. Where that would be fewer than two there is none.
    ///
    /// Default: 32 slots, but no more than make 64 MiB. Magazines need Linux 4.14 or later; elsewhere there are none.
    #[must_use]
    pub const fn magazine(mut self, class: Class, slots: usize) -> Self {
        self.classes[class as usize].magazine = Some(slots);
        self
    }

    /// Detects a double free also when two threads free the same block at the same moment, unless the slot is handed out again between the two
    /// frees. Default: `false`.
    ///
    /// Each free exchanges the slot's byte atomically, so of two frees of a live slot one finds it live and the other finds it free. If the
    /// first thread, or another one, allocates the slot again before the second free, that finds it live: it frees the new owner's block
    /// and goes unnoticed, as any double free does after the slot was handed out again. Without `hardened`, two frees that race are noticed only
    /// if both reach the shared set before the slot is taken.
    ///
    /// Costs each `dealloc` of a slot an atomic exchange, on the slow path: an allocation and its free take about twice as long.
    #[must_use]
    pub const fn hardened(mut self, yes: bool) -> Self {
        self.hardened = yes;
        self
    }

    /// Clears the whole slot whenever one is freed, so that nothing of it stays readable. Default: `false`.
    ///
    /// Costs each `dealloc` a memset of the slot, not of the layout, and saves `alloc_zeroed` its own.
    #[must_use]
    pub const fn zero_on_free(mut self, yes: bool) -> Self {
        self.zero_on_free = yes;
        self
    }

    /// Lets the environment variable `FRAMEPOOL` change this configuration when the program starts. Default: `false`.
    ///
    /// The variable is a list of these, with commas between:
    ///
    /// | | |
    /// |---|---|
    /// | `off` | the pools start [switched off](crate::PoolAlloc::set_enabled) |
    /// | `stats` | the table of statistics is written when the program exits, to what standard error was at the start |
    /// | `record` | the same, after a [recording](Self::record), with [advice](crate::Stats::advice) |
    /// | `xlarge=3110400x48` | a class (`small`, `medium`, `large`, `xlarge`) has slots of so many bytes, and so many of them |
    /// | `small=1024x512:floor=257` | the same, and a [floor](Self::floor) |
    /// | `small=1024x512:hold=128@256` | the same, and 128 slots [held back](Self::hold_back) for 256 bytes and more; `hold=0` for none |
    /// | `small=1024x512:magazine=8` | the same, and threads [keep](Self::magazine) up to 8 at hand |
    ///
    /// What a class is not told stays as it was in the program. A table is checked as a `const` one is. Where anything is wrong, a line on
    /// standard error says so, and all of the variable is ignored.
    ///
    /// Its value is that of the moment when the program, or the library that has this crate, was loaded: what the program sets later is not seen. It is
    /// read once, when the pools are reserved, without allocating; not on systems other than Unix, and not in a
    /// program that runs with rights which its caller does not have (set-user-ID and the like). A
    /// [`BufferPool`](crate::BufferPool) ignores it. Costs a hit nothing.
    #[must_use]
    pub const fn env(mut self, yes: bool) -> Self {
        self.env = yes;
        self
    }

    /// Records exactly how many blocks of which sizes live at once, so that [`Stats::advice`](crate::Stats::advice) can tell which table would
    /// have served the program. Default: `false`.
    ///
    /// For a run that looks for a table, not for production: every request and every free then changes some thirty shared counters, threads
    /// keep no slots at hand, and some 110 KiB more are mapped. A [`BufferPool`](crate::BufferPool) ignores it. Switched off it costs a
    /// hit nothing.
    #[must_use]
    pub const fn record(mut self, yes: bool) -> Self {
        self.record = yes;
        self
    }

    /// Bytes of one slot of `class`.
    pub const fn slot_bytes(&self, class: Class) -> usize {
        self.classes[class as usize].slot_bytes
    }

    /// How many slots `class` has.
    pub const fn slots(&self, class: Class) -> usize {
        self.classes[class as usize].slots
    }

    /// Bytes of all slots together: 147,849,216 in the default table. Guard pages and metadata come on top, about 1 %.
    ///
    /// Saturates at `usize::MAX` for a table that no address space can hold.
    pub const fn reserved_bytes(&self) -> usize {
        let mut sum: usize = 0;
        let mut i = 0;
        while i < CLASSES {
            sum = sum.saturating_add(self.classes[i].slot_bytes.saturating_mul(self.classes[i].slots));
            i += 1;
        }
        sum
    }

    /// What is held back is what was said to be.
    #[cfg(not(framepool_loom))]
    pub(crate) fn without_default_hold_backs(mut self) -> Self {
        for class in &mut self.classes {
            if class.hold_back == HoldBack::Half {
                class.hold_back = HoldBack::NONE;
            }
        }
        self
    }
}

#[cfg(all(test, not(framepool_loom)))]
mod tests {
    use super::*;

    const _: () = assert!(Config::new().reserved_bytes() == 147_849_216);

    #[test]
    fn the_default_hold_backs_are_those_of_the_design() {
        let held = Config::new().classes.map(|class| class.held_back());
        assert_eq!(held, [(512, 256), (32, 16 << 10), (0, 0), (0, 0)]);
    }
}
