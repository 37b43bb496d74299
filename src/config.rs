//! The configuration of an allocator: which slots each class has, and which layouts may have them.
//!
//! [`Config`] is a `const` builder, checked when the allocator is built. Nothing here runs after start-up. If
//! a table makes no sense, the build stops with a text that says what to change (P10). `check.rs` lists what
//! each class must satisfy. [`Plan`](plan::Plan) is what follows from the table, and checks the classes
//! together.

mod check;
mod class_config;
pub(crate) mod environment;
mod error;
mod memory_options;
pub(crate) mod plan;
pub(crate) mod sizing;
mod table_text;

pub(crate) use class_config::ClassConfig;
use class_config::HoldBack;
pub use error::ConfigError;
pub(crate) use error::{Problem, check, reject};
pub(crate) use memory_options::MemoryConfig;
pub use table_text::ParseConfigError;

use crate::slots::class::{CLASSES, Class};
use crate::tunables::DEFAULT_TABLE;

/// The configuration of an allocator: the table of the four classes and the switches, built in a `const`.
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
/// A table that makes no sense is a compile error if the allocator is a `static`. If the allocator is built
/// at run time, it is a panic with the same text. A table makes no sense if
///
/// - a class has no slots, or more than [`MAX_SLOTS`](Config::MAX_SLOTS);
/// - slot sizes are not multiples of 64, or do not ascend from class to class;
/// - a hold-back exceeds its class, or its minimum size exceeds the slots of its class;
/// - the slot map (a byte for each [granule](Config#the-slot-map)) would exceed 1/32 of the slots;
/// - the reservation would have 2^32 granules or more;
/// - the table exceeds the address space.
///
/// ```compile_fail
/// use framepool::{Class, Config, PoolAlloc};
/// // framepool: Medium slots of 65537 bytes: a slot size is a multiple of 64 bytes; the next one is 65600
/// static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::Medium, 65_537, 64));
/// ```
///
/// # The slot map
///
/// The slot map has one byte of metadata for each granule of the reservation. The granule is the largest
/// power of two that divides every slot size. In the default table it is 1 KiB, and the slot map takes 0.1 %
/// of the reservation. Slot sizes that share few factors of two cost more: 1.6 % at most.
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
    /// Returns [`Config::new`].
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The maximum number of slots of one class: 131,072.
    pub const MAX_SLOTS: usize = crate::slots::slot_set::MAX_SLOTS;

    /// Returns the default table: Small 1 KiB x 1024, Medium 64 KiB x 64, Large 256 KiB x 32, XLarge 2 MiB x
    /// 64.
    ///
    /// Small and Medium [hold back](Config::hold_back) half of their slots for layouts of at least a quarter
    /// of a slot: 512 slots for 256 bytes and more, 32 slots for 16 KiB and more. No class has a
    /// [floor](Config::floor).
    #[must_use]
    pub const fn new() -> Self {
        Self {
            classes: [
                ClassConfig::new(DEFAULT_TABLE[0], HoldBack::Half),
                ClassConfig::new(DEFAULT_TABLE[1], HoldBack::Half),
                ClassConfig::new(DEFAULT_TABLE[2], HoldBack::NONE),
                ClassConfig::new(DEFAULT_TABLE[3], HoldBack::NONE),
            ],
            hardened: false,
            zero_on_free: false,
            env: true,
            record: false,
            memory: MemoryConfig::new(),
        }
    }

    /// Gives `class` `slots` slots of `slot_bytes` bytes each.
    ///
    /// `slot_bytes` must be a multiple of 64, but need not be a power of two. Slot sizes must ascend from
    /// class to class. Every slot is aligned to the largest power of two that divides `slot_bytes`, and
    /// serves layouts up to that alignment. `slots` is 1 to [`MAX_SLOTS`](Config::MAX_SLOTS). An untouched
    /// slot costs address space only.
    #[must_use]
    pub const fn class(mut self, class: Class, slot_bytes: usize, slots: usize) -> Self {
        self.classes[class as usize].slot_bytes = slot_bytes;
        self.classes[class as usize].slots = slots;
        self
    }

    /// Gives XLarge slots for frames of `frame_bytes` bytes, `at_once` of them.
    ///
    /// A slot has the bytes of a frame, rounded up to 4,096. `at_once` is the maximum number of frames that are
    /// live at once: queues, the frames in work, and those that a decoder keeps. Frames must be larger than a slot
    /// of Large, 256 KiB by default. Frames of 1080p in 4:2:0, 12 at once:
    ///
    /// ```
    /// use framepool::{Class, Config, PoolAlloc};
    ///
    /// static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().frames(1920 * 1080 * 3 / 2, 12));
    /// # assert_eq!(ALLOC.config(), Config::new().class(Class::XLarge, 3_112_960, 12));
    /// ```
    ///
    /// Smaller frames do not compile in a `static`:
    ///
    /// ```compile_fail
    /// use framepool::{Config, PoolAlloc};
    /// // framepool: XLarge slots of 114688 bytes: slot sizes ascend from class to class; make them larger than
    /// // Large's 262144
    /// static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().frames(352 * 288 * 9 / 8, 12));
    /// ```
    #[must_use]
    pub const fn frames(self, frame_bytes: usize, at_once: usize) -> Self {
        const PAGE: usize = 4_096;
        let slot_bytes = match frame_bytes.checked_next_multiple_of(PAGE) {
            Some(bytes) => bytes,
            // Too large for any table, which says so.
            None => usize::MAX / PAGE * PAGE,
        };
        self.class(Class::XLarge, slot_bytes, at_once)
    }

    /// Sends the layouts of `class` that are smaller than `bytes` bytes to the fallback (bypass: below floor).
    /// Default: 0.
    ///
    /// A floor above the slot size switches the class off.
    #[must_use]
    pub const fn floor(mut self, class: Class, bytes: usize) -> Self {
        self.classes[class as usize].floor = bytes;
        self
    }

    /// Keeps the last `slots` slots of `class` for layouts of at least `min_bytes` bytes.
    ///
    /// Smaller layouts may have only the other slots. If all of those are taken, the fallback serves them
    /// (bypass: held back). Layouts of `min_bytes` and more try the held-back slots first, then the others.
    /// `hold_back(class, 0, 0)` lets every layout have every slot.
    ///
    /// Default: Small and Medium hold back half of their slots for layouts of at least a quarter of a slot.
    /// Large and XLarge hold back none.
    #[must_use]
    pub const fn hold_back(mut self, class: Class, slots: usize, min_bytes: usize) -> Self {
        self.classes[class as usize].hold_back = HoldBack::Slots { slots, min_bytes };
        self
    }

    /// Lets each thread cache up to `slots` free slots of `class` in a magazine of its own. 0 means that no
    /// thread caches any.
    ///
    /// A thread takes from its magazine, and gives to it, without an atomic operation. Cached slots are never
    /// lost: a thread that finds the pool empty reclaims what other threads have cached. With larger
    /// magazines, threads visit the shared slots less often. But more slots are touched while others are
    /// free, which takes more memory.
    ///
    /// For slots of up to 2 KiB, a thread has a magazine at once. For larger slots, it gets one after about
    /// 16 visits in a row to the shared slots, or after it met other threads there about twice. The magazine
    /// starts with four slots, or with 1 MiB of slots if that is more, but with 32 slots at most. It grows
    /// if its thread takes or gives more slots in a row than it holds.
    ///
    /// A magazine of held-back slots (of all slots, if none is [held back](Config::hold_back)) holds at most
    /// half of them. A magazine of the other slots holds at most an eighth of those. Neither holds more than
    /// `slots`, nor more than 57. If these limits leave fewer than two slots, there is no magazine.
    ///
    /// Default: 32 slots, or fewer if 32 slots take more than 64 MiB. Magazines need Linux 4.14 or later.
    /// Other systems have none.
    #[must_use]
    pub const fn magazine(mut self, class: Class, slots: usize) -> Self {
        self.classes[class as usize].magazine = Some(slots);
        self
    }

    /// Detects a double free even if two threads free the same block at the same moment. Default: `false`.
    ///
    /// Each free exchanges the slot's byte atomically. Of two frees of a live slot, one finds it live and the
    /// other finds it free. If a thread allocates the slot again between the two frees, the second free finds
    /// the slot live and frees the new owner's block. That goes undetected, as any double free does after the
    /// slot was handed out again. Without `hardened`, two frees that race are detected only if both reach the
    /// shared set before the slot is taken.
    ///
    /// Each `dealloc` of a slot costs an atomic exchange and takes the slow path. An allocation and its free
    /// together take about twice as long.
    #[must_use]
    pub const fn hardened(mut self, yes: bool) -> Self {
        self.hardened = yes;
        self
    }

    /// Clears the whole slot whenever a block is freed, so that nothing of the block stays readable. Default:
    /// `false`.
    ///
    /// Each `dealloc` of a slot costs a memset of the whole slot, not only of the layout. `alloc_zeroed` then
    /// needs none.
    #[must_use]
    pub const fn zero_on_free(mut self, yes: bool) -> Self {
        self.zero_on_free = yes;
        self
    }

    /// Whether the environment variable `FRAMEPOOL` may change this configuration when the program starts.
    /// Default: `true`.
    ///
    /// The variable is a list of these items, separated by commas:
    ///
    /// | item | effect |
    /// |---|---|
    /// | `on` | the pools start switched on: the default, except under [valgrind](crate::guide::debugging_tools) |
    /// | `off` | the pools start [switched off](crate::PoolAlloc::set_enabled) |
    /// | `stats` | the table of statistics is written when the program exits, to the file that standard error was at the start |
    /// | `record` | like `stats`, after a [recording](Self::record), with [advice](crate::Stats::advice) |
    /// | `to=FILE` | like `stats`, but written to this file, which is created when the program starts |
    /// | `table=FILE` | the classes are those in this file |
    /// | `huge`, `prefault`, `lock` | [`huge_pages`](Self::huge_pages), [`prefault`](Self::prefault), [`lock_memory`](Self::lock_memory) |
    /// | `xlarge=3110400x48` | a class (`small`, `medium`, `large`, `xlarge`) has slots of 3110400 bytes, and 48 of them |
    /// | `small=1024x512:floor=257` | also sets a [floor](Self::floor) |
    /// | `small=1024x512:hold=128@256` | also [holds back](Self::hold_back) 128 slots for 256 bytes and more; `hold=0` for none |
    /// | `small=1024x512:magazine=8` | also lets each thread [cache](Self::magazine) up to 8 slots |
    ///
    /// Blanks around items do not matter, nor does the case of letters. Later items win. A setting that the
    /// variable does not name stays as the program set it. The resulting table is checked like a `const` one.
    /// If anything is wrong, the allocator writes a line to standard error and ignores the whole variable.
    ///
    /// # Files
    ///
    /// A table is one line of classes as above. Lines that begin with `#` are comments, and the file has at most
    /// 4 KiB. Advice that is written to a file is such a file. So two commands find a table and use it:
    ///
    /// ```text
    /// FRAMEPOOL=record,to=frames.table ./server    # under its busiest load, until it exits
    /// FRAMEPOOL=table=frames.table ./server
    /// ```
    ///
    /// Statistics are written when `main` returns or the program calls `exit`. A program that a signal ends, or
    /// that calls `_exit` or `abort`, writes none, and leaves a note in the file that it has not ended yet.
    ///
    /// Files are opened when the allocator starts: before `main` if it is the global one. Their names end at the
    /// next comma and are relative to the directory at that time. `%p` in a name stands for the process id. What
    /// was in the file of `to` is gone then, unless it is the program's standard output or error. The child of a
    /// `fork` writes nothing, but a program that this one executes reads the same variable. If a program has
    /// several allocators, all of them are in the file, with the table of the one that started first.
    ///
    /// # When it is read
    ///
    /// The value is the one that the variable had when the program, or the library that contains this crate,
    /// was loaded. Later changes by the program have no effect. The value is used once, when the pools are
    /// reserved, and reading it allocates nothing. It is not read on systems other than Unix, or in a program
    /// with rights that its caller does not have (set-user-ID and the like). A
    /// [`BufferPool`](crate::BufferPool) ignores it. A hit costs the same with it.
    #[must_use]
    pub const fn env(mut self, yes: bool) -> Self {
        self.env = yes;
        self
    }

    /// Records exactly how many blocks of each size live at once, so that
    /// [`Stats::advice`](crate::Stats::advice) can tell which table would have served the program. Default:
    /// `false`.
    ///
    /// Use it for a run that looks for a table, not in production. While it records, an allocation and its
    /// free together change about 35 shared counters, no thread caches slots, and about 176 KiB more are
    /// mapped. If it is switched off, it costs a hit nothing. A [`BufferPool`](crate::BufferPool) cannot be
    /// recorded and panics when it is built.
    #[must_use]
    pub const fn record(mut self, yes: bool) -> Self {
        self.record = yes;
        self
    }

    /// Returns the size of one slot of `class`, in bytes.
    #[must_use]
    pub const fn slot_bytes(&self, class: Class) -> usize {
        self.classes[class as usize].slot_bytes
    }

    /// Returns the number of slots of `class`.
    #[must_use]
    pub const fn slots(&self, class: Class) -> usize {
        self.classes[class as usize].slots
    }

    /// Returns the bytes of all slots together: 147,849,216 in the default table. Guard pages and metadata
    /// add about 1 %.
    ///
    /// Saturates at `usize::MAX` if no address space can hold the table.
    #[must_use]
    pub const fn reserved_bytes(&self) -> usize {
        let mut sum: usize = 0;
        let mut i = 0;
        while i < CLASSES {
            sum = sum.saturating_add(self.classes[i].slot_bytes.saturating_mul(self.classes[i].slots));
            i += 1;
        }
        sum
    }

    /// Drops the default hold-backs. Those that the user set stay.
    pub(crate) fn without_default_hold_backs(mut self) -> Self {
        for class in &mut self.classes {
            if class.hold_back == HoldBack::Half {
                class.hold_back = HoldBack::NONE;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const _: () = assert!(Config::new().reserved_bytes() == 147_849_216);

    #[test]
    fn the_default_hold_backs_are_those_of_the_design() {
        let held = Config::new().classes.map(|class| class.held_back());
        assert_eq!(held, [(512, 256), (32, 16 << 10), (0, 0), (0, 0)]);
    }
}
