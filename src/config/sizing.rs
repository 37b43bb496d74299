//! Slot sizes and numbers of slots for requests that were seen: what a table is advised to have.

use crate::slots::class::SLOT_STEP;

/// The minimum number of requests for each block that is live at once that makes slots pay.
pub(crate) const USES_PER_SLOT: u64 = 4;

/// Returns the number of slots for `peak` blocks at once: 12 % more, at least one more.
pub(crate) const fn with_headroom(peak: usize) -> usize {
    let more = peak.saturating_mul(12).div_ceil(100);
    peak + if more > 1 { more } else { 1 }
}

/// Returns the multiple to which slots of about `bytes` bytes are rounded up. It is a page where that adds
/// little, so that slots can be trimmed one by one.
pub(crate) const fn step(bytes: usize) -> usize {
    match bytes {
        ..4_096 => SLOT_STEP,
        4_096..16_384 => 256,
        _ => 4_096,
    }
}
