//! Slot sizes and numbers of slots for requests that were seen: what a table is advised to have.

use crate::slots::class::SLOT_STEP;

/// The minimum number of requests for each block that is live at once that makes slots pay.
pub(crate) const USES_PER_SLOT: u64 = 4;

/// Returns the number of slots for `peak` blocks at once: 12 % more, at least one more.
pub(crate) const fn with_headroom(peak: usize) -> usize {
    let more = peak.saturating_mul(12).div_ceil(100);
    peak + if more > 1 { more } else { 1 }
}

/// Returns the slot size for requests of up to `bytes` bytes, as a multiple of `unit`, a power of two.
///
/// It is a multiple of a page where that adds little, so that slots can be trimmed one by one. Unless slots may lie in
/// huge pages, it is no multiple of 64 KiB: the first lines of all slots, and their bytes in the slot map, would share
/// a few sets of the caches.
pub(crate) const fn slot_bytes_for(bytes: usize, unit: usize, huge_pages: bool) -> usize {
    let step = match bytes {
        ..4_096 => SLOT_STEP,
        4_096..16_384 => 256,
        _ => 4_096,
    };
    let step = if step > unit { step } else { unit };
    // No table has slots of such a size.
    let Some(rounded) = bytes.checked_next_multiple_of(step) else { return bytes };
    let is_spread = huge_pages || !rounded.is_multiple_of(SET_SPAN) || step >= SET_SPAN;
    if is_spread { rounded } else { rounded.saturating_add(step) }
}

/// The bytes after which addresses share a set of the second cache, or fewer.
const SET_SPAN: usize = 64 << 10;
