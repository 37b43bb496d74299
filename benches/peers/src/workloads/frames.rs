//! The effect of a frame's address on the code that works on it: a copy from frame to frame, and a conversion
//! of three planes.
//!
//! Slots that are aligned to 2 MiB put the same offset of each frame into the same cache sets.
//! `framepool_coloured` runs the same pools with different starts, so the difference between the two is the
//! cost of that alignment.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::time::Duration;

use crate::clock::ns_a_step;
use crate::contestants::Subject;
use crate::outcome::Outcome;
use crate::source::{Block, Source};

/// The number of frames in the queue of copies: more than a core's own cache holds.
const COPIES: usize = 8;

/// Measures the nanoseconds to copy the newest frame of a queue into a new one and free the oldest.
pub(crate) fn copy(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let source = Source::new(subject.allocator, bytes);
    let mut queue: VecDeque<Block> = VecDeque::with_capacity(COPIES + 1);
    for shade in 0..COPIES {
        let mut frame = source.block();
        frame.fill(shade as u8);
        queue.push_back(frame);
    }
    let ns = ns_a_step(time, || {
        let mut frame = source.block();
        frame.copy_from(&queue[COPIES - 1]);
        queue.push_back(frame);
        queue.pop_front();
    });
    Outcome::of("ns", ns)
}

/// Measures the nanoseconds to convert a 4:2:0 frame, whose luma plane has `bytes` bytes, into three planes
/// of red, green and blue. All six planes are blocks of the allocator, and those of the result are new each
/// time.
pub(crate) fn convert(subject: Subject, bytes: usize, time: Duration) -> Outcome {
    let width = (bytes * 16 / 9).isqrt();
    let [luma_source, chroma_source] = [bytes, bytes / 4].map(|bytes| Source::new(subject.allocator, bytes));
    let (mut luma, mut blue_diff, mut red_diff) =
        (luma_source.block(), chroma_source.block(), chroma_source.block());
    let planes = [&*luma.fill(90), &*blue_diff.fill(120), &*red_diff.fill(140)];
    let ns = ns_a_step(time, || {
        let mut result = [luma_source.block(), luma_source.block(), luma_source.block()];
        let [red, green, blue] = result.each_mut().map(Block::spare);
        to_rgb(planes, [red, green, blue], width);
    });
    Outcome::of("ns", ns)
}

/// Converts with BT.601 in 8-bit fixed point. Two rows share one row of chroma.
fn to_rgb([luma, blue_diff, red_diff]: [&[u8]; 3], rgb: [&mut [MaybeUninit<u8>]; 3], width: usize) {
    let [red, green, blue] = rgb.map(|plane| plane.chunks_exact_mut(width));
    let rows = luma.chunks_exact(width).zip(red).zip(green).zip(blue);
    for (row, (((luma, red), green), blue)) in rows.enumerate() {
        let chroma = row / 2 * (width / 2)..(row / 2 + 1) * (width / 2);
        let pixels = blue_diff[chroma.clone()].iter().zip(&red_diff[chroma]);
        let halves = luma.as_chunks::<2>().0.iter().zip(pixels);
        let outs = red.as_chunks_mut::<2>().0.iter_mut().zip(green.as_chunks_mut::<2>().0);
        for (((luma, (&cb, &cr)), (red, green)), blue) in halves.zip(outs).zip(blue.as_chunks_mut::<2>().0) {
            let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
            for at in 0..2 {
                let y = i32::from(luma[at]) << 8;
                let clamp = |value: i32| (value >> 8).clamp(0, 255) as u8;
                red[at].write(clamp(y + 359 * cr));
                green[at].write(clamp(y - 88 * cb - 183 * cr));
                blue[at].write(clamp(y + 454 * cb));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_stays_grey_and_red_turns_red() {
        let (luma, blue_diff, red_diff) = ([81, 81, 128, 128, 81, 81, 128, 128], [90, 128], [240, 128]);
        let mut planes = [[const { MaybeUninit::uninit() }; 8]; 3];
        let [red, green, blue] = planes.each_mut().map(|plane| &mut plane[..]);
        to_rgb([&luma, &blue_diff, &red_diff], [red, green, blue], 4);
        // SAFETY: the conversion writes all of each plane.
        let [red, green, blue] = planes.map(|plane| plane.map(|byte| unsafe { byte.assume_init() }));
        assert_eq!(([red[0], green[0], blue[0]], [red[2], green[2], blue[2]]), ([238, 14, 13], [128; 3]));
    }
}
