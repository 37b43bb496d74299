//! The signature at the start of the metadata, by which another process [finds](crate::inspect) it and knows that it
//! can read it.
//!
//! The mapping of the metadata starts with it, between guard pages, so that the kernel's list of mappings has the
//! address. The magic number and the version stand where every version of this crate has them. The signature has its own
//! address too: a copy of the metadata elsewhere, such as a reader's, is no allocator.
//!
//! | field | who writes | what its order publishes |
//! |---|---|---|
//! | `magic` | start-up, once, when the pools can be used (Release) | the metadata |
//! | all others | start-up, before the magic number | nothing |

use crate::layout::{layout_of, mix_all};
use crate::metadata::{LaneParts, Metadata};
use crate::slots::class::CLASSES;
use crate::slots::lane::LANES;
use crate::slots::slab::Slab;
use crate::slots::slot_map::SlotMap;
use crate::slots::slot_set::SlotSet;
use crate::stats::counters::SharedCounters;
use crate::stats::level::Level;
use crate::stats::peak::Peak;
use crate::stats::recording::Recording;
use crate::sync::{AtomicU64, Ordering::Release};
use crate::thread::places::Places;
use crate::thread::state::ThreadState;
use crate::tunables::PLACES;

/// The signature. All bytes are valid.
#[repr(C, align(64))]
pub(crate) struct Signature {
    pub(crate) magic: AtomicU64,
    /// The version of this crate, filled up with zeros.
    pub(crate) version: [u8; VERSION_BYTES],
    pub(crate) layout: u64,
    /// The address of this signature.
    pub(crate) address: u64,
    /// Bytes of the metadata.
    pub(crate) bytes: u64,
    /// 1 for the pools of a `PoolAlloc`, 0 for those of a `BufferPool`.
    pub(crate) is_program: u64,
}

const VERSION_BYTES: usize = 24;

/// The text `fpoolmd` and the format of the signature.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"fpoolmd\x01");

/// The version of this crate, as a signature has it.
pub(crate) const VERSION: [u8; VERSION_BYTES] = {
    let (text, mut version) = (env!("CARGO_PKG_VERSION").as_bytes(), [0; VERSION_BYTES]);
    let mut i = 0;
    while i < text.len() && i < VERSION_BYTES {
        version[i] = text[i];
        i += 1;
    }
    version
};

/// The hash of all structs that a reader reads, of the sizes of tables, and of the settings of the build that change
/// what they mean.
pub(crate) const LAYOUT: u64 = mix_all(&[
    usize::BITS as u64,
    cfg!(framepool_stats = "off") as u64,
    PLACES as u64,
    CLASSES as u64,
    LANES as u64,
    layout_of!(Signature { magic, version, layout, address, bytes, is_program }),
    Metadata::LAYOUT,
    LaneParts::LAYOUT,
    SlotSet::LAYOUT,
    Slab::LAYOUT,
    SlotMap::LAYOUT,
    Places::LAYOUT,
    Peak::LAYOUT,
    SharedCounters::LAYOUT,
    ThreadState::LAYOUT,
    Recording::LAYOUT,
    Level::LAYOUT,
]);

impl Signature {
    /// Writes all but the magic number.
    pub(crate) fn fill(&mut self, bytes: usize, is_program: bool) {
        self.address = core::ptr::from_ref(self).addr() as u64;
        self.version = VERSION;
        self.layout = LAYOUT;
        self.bytes = bytes as u64;
        self.is_program = is_program.into();
    }

    /// Writes the magic number: from now on, other processes find the metadata.
    pub(crate) fn complete(&self) {
        self.magic.store(MAGIC, Release);
    }
}
