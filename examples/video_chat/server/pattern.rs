//! A generated moving picture, so that the example needs no file: slow waves of light and colour, and a disc
//! that moves through them. It uses integers only, so every machine draws the same bytes.

use super::clip::Clip;
use super::picture::{Chroma, Format};

/// The number of frames until the picture repeats.
const FRAMES: usize = 24;

/// The maximum size of the clip in bytes. Very large pictures repeat sooner.
const MAX_BYTES: usize = 1 << 30;

/// The number of steps of one whole wave.
const WAVE: usize = 512;

impl Clip {
    /// Draws the moving picture in `width` x `height`, 4:2:0.
    pub(crate) fn generated(width: usize, height: usize) -> Self {
        let format = Format { width, height, chroma: Chroma::C420 };
        let frames = (MAX_BYTES / format.frame_bytes()).clamp(1, FRAMES);
        let mut clip = Self::with_capacity(format, frames * format.frame_bytes());
        for frame in 0..frames {
            draw(&format, frame * WAVE / frames, clip.bytes_mut());
        }
        clip
    }
}

/// Appends the frame at `phase`, 0 to [`WAVE`].
fn draw(format: &Format, phase: usize, out: &mut Vec<u8>) {
    let (width, height) = (format.width, format.height);
    let centre =
        (width / 4 + width * triangle(phase) / WAVE, height / 4 + height * triangle(phase + WAVE / 4) / WAVE);
    let radius = width.min(height) / 6;
    let across: Vec<usize> = (0..width).map(|x| triangle(2 * x * WAVE / width + 2 * phase)).collect();
    for y in 0..height {
        let down = triangle(y * WAVE / height + WAVE - phase);
        let chord = half_chord(radius, y.abs_diff(centre.1));
        out.extend(across.iter().enumerate().map(|(x, &wave)| {
            let disc = chord.is_some_and(|half| x.abs_diff(centre.0) <= half);
            if disc { 235 } else { (24 + (wave + down) * 160 / WAVE) as u8 }
        }));
    }
    let (width, height) = format.chroma_size();
    for [by_x, by_y] in [[1, 2], [2, 1]] {
        for y in 0..height {
            let start = by_y * y * WAVE / height + phase;
            out.extend((0..width).map(|x| (64 + triangle(by_x * x * WAVE / width + start) / 2) as u8));
        }
    }
}

/// Returns the height of a wave of straight lines: 0 up to 255 and down again.
fn triangle(step: usize) -> usize {
    match step % WAVE {
        up if up < WAVE / 2 => up,
        down => WAVE - 1 - down,
    }
}

/// Returns half the width of a disc of `radius` at `distance` from its centre line.
fn half_chord(radius: usize, distance: usize) -> Option<usize> {
    Some((radius * radius).checked_sub(distance * distance)?.isqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_right_size_moves_and_is_always_the_same() {
        let clip = Clip::generated(175, 143);
        assert_eq!(clip.len(), FRAMES);
        assert_ne!(clip.frame(0), clip.frame(1));
        assert_eq!(clip.frame(0), Clip::generated(175, 143).frame(FRAMES));
    }

    #[test]
    fn the_smallest_picture_can_be_drawn() {
        assert_eq!(Clip::generated(1, 1).frame(0).len(), 3);
    }
}
