//! Everything the allocator knows about its slots, in one mapping of its own, away from the slots (P8).
//!
//! `Metadata` (places, slot sets), the sets' words, the thread records, the slot map. Mapped zeroed, and written by start-up
//! only where zero will not do: this header and the free bits. Never unmapped: a thread's exit may come later than anything.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::config::CLASSES;
use crate::os;
use crate::plan::{ClassPlan, Plan};
use crate::slot_set::SlotSet;
use crate::sync::{AtomicU8, AtomicU64};
use crate::thread_record::{self, Places, ThreadRecord};
use crate::tunables::PLACES;

/// The head of the mapping; constant once published, but for the atomics in it.
#[repr(C)]
pub(crate) struct Metadata {
    pub(crate) sets: [SlotSet; CLASSES],
    pub(crate) places: Places,
    pub(crate) exit_hook: Option<os::ExitHook>,
    records: NonNull<ThreadRecord>,
    /// The slot map's bytes.
    pub(crate) map: NonNull<AtomicU8>,
    /// The whole mapping, for the system to deal with.
    pub(crate) pages: NonNull<[u8]>,
}

impl Metadata {
    /// Maps and fills the metadata for `plan`, or `None` if there is no memory for it.
    pub(crate) fn new(plan: &Plan, source: os::Source<'_>) -> Option<NonNull<Self>> {
        let words = |class: &ClassPlan| SlotSet::words_needed(class.slab.slots, class.held);
        let all_words = plan.classes.iter().map(words).sum();
        let (layout, words_offset) =
            Layout::new::<Self>().extend(Layout::array::<AtomicU64>(all_words).ok()?).ok()?;
        let (layout, records) = layout.extend(Layout::array::<ThreadRecord>(PLACES).ok()?).ok()?;
        let (layout, map) = layout.extend(Layout::array::<AtomicU8>(plan.map_bytes()).ok()?).ok()?;
        let base = os::map_zeroed(layout.size(), source)?;
        let pages = NonNull::slice_from_raw_parts(base, layout.size());
        os::name(pages, c"framepool: metadata");
        // One huge page would make resident what start-up takes care not to touch. If refused, that is what happens.
        let _ = os::use_huge_pages(pages, false);

        let mut next_word = words_offset;
        let sets = plan.classes.each_ref().map(|class| {
            // SAFETY: inside the mapping by the layout above, and each set has words of its own.
            let set_words = unsafe { base.byte_add(next_word) }.cast();
            next_word += words(class) * size_of::<AtomicU64>();
            // SAFETY: exactly as many zeroed words as the set needs, for ever.
            unsafe { SlotSet::new(set_words, class.slab.slots, class.held) }
        });
        let metadata = base.cast::<Self>();
        // SAFETY: all of it lies in the mapping, by the layout above, page-aligned and not shared yet.
        unsafe {
            metadata.write(Self {
                sets,
                places: Places::new(),
                exit_hook: os::ExitHook::new(thread_record::on_thread_exit),
                records: base.byte_add(records).cast(),
                map: base.byte_add(map).cast(),
                pages,
            });
        }
        // `ThreadRecord::owner` names this mapping by address.
        metadata.as_ptr().expose_provenance();
        Some(metadata)
    }

    pub(crate) fn record(&self, place: usize) -> &ThreadRecord {
        debug_assert!(place < PLACES);
        // SAFETY: `Places` only hands out places of the table; a zeroed record is valid.
        unsafe { self.records.add(place).as_ref() }
    }

    pub(crate) fn place_of(&self, record: &ThreadRecord) -> usize {
        (core::ptr::from_ref(record).addr() - self.records.addr().get()) / size_of::<ThreadRecord>()
    }
}
