//! The structure of a picture: its size, its chroma planes, and their places in one block of bytes.
//!
//! Pictures are planar, 8 bits a sample, Y then U then V without padding, as in a Y4M frame. Chroma sizes
//! round up, so odd sizes work.

/// The number of chroma samples of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chroma {
    /// One sample for 2 x 2 pixels.
    C420,
    /// One sample for 2 x 1 pixels.
    C422,
    /// One sample for each pixel.
    C444,
    /// No samples: shades of grey.
    Mono,
}

/// The size and chroma of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) chroma: Chroma,
}

impl Format {
    /// Returns the width and height of each chroma plane, or (0, 0) without chroma.
    pub(crate) fn chroma_size(&self) -> (usize, usize) {
        match self.chroma {
            Chroma::C420 => (self.width.div_ceil(2), self.height.div_ceil(2)),
            Chroma::C422 => (self.width.div_ceil(2), self.height),
            Chroma::C444 => (self.width, self.height),
            Chroma::Mono => (0, 0),
        }
    }

    /// Returns the number of bytes of one frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        let (width, height) = self.chroma_size();
        self.width * self.height + 2 * width * height
    }

    /// Returns the Y, U and V planes of a frame. U and V are empty without chroma.
    pub(super) fn planes<'a>(&self, frame: &'a [u8]) -> [&'a [u8]; 3] {
        let (width, height) = self.chroma_size();
        let (y, chroma) = frame.split_at(self.width * self.height);
        let (u, v) = chroma.split_at(width * height);
        [y, u, v]
    }

    /// Returns the format scaled down to at most `width` x `height`, with its shape kept. It is never scaled
    /// up.
    pub(super) fn within(&self, width: usize, height: usize) -> Self {
        if self.width <= width && self.height <= height {
            return *self;
        }
        // The side that has to shrink more decides. The other side keeps the shape, with at least one pixel.
        let (width, height) = if self.width * height >= self.height * width {
            (width, (self.height * width / self.width).max(1))
        } else {
            ((self.width * height / self.height).max(1), height)
        };
        Self { width, height, ..*self }
    }
}

/// A client's picture in RGB, on its way to the encoder.
pub(super) struct Picture {
    pub(super) client: u32,
    pub(super) frame: u32,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Three bytes a pixel.
    pub(super) rgb: Vec<u8>,
}

/// Appends `bytes` zeros to `out` and returns them, to be overwritten.
///
/// Call it for one row at a time, so that the zeros are still in the nearest cache when they are overwritten.
pub(super) fn next_row(out: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    let from = out.len();
    out.resize(from + bytes, 0);
    &mut out[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(width: usize, height: usize, chroma: Chroma) -> Format {
        Format { width, height, chroma }
    }

    #[test]
    fn chroma_sizes_round_up() {
        assert_eq!(format(175, 143, Chroma::C420).frame_bytes(), 175 * 143 + 2 * 88 * 72);
        assert_eq!(format(175, 143, Chroma::C422).frame_bytes(), 175 * 143 + 2 * 88 * 143);
        assert_eq!(format(175, 143, Chroma::C444).frame_bytes(), 3 * 175 * 143);
        assert_eq!(format(175, 143, Chroma::Mono).frame_bytes(), 175 * 143);
        assert_eq!(format(1280, 720, Chroma::C420).frame_bytes(), 1_382_400);
    }

    #[test]
    fn planes_lie_one_after_the_other() {
        let bytes: Vec<u8> = (0..format(3, 3, Chroma::C420).frame_bytes() as u8).collect();
        let [y, u, v] = format(3, 3, Chroma::C420).planes(&bytes);
        assert_eq!((y, u, v), (&bytes[..9], &bytes[9..13], &bytes[13..]));
        let [_, u, v] = format(3, 3, Chroma::Mono).planes(&bytes[..9]);
        assert!(u.is_empty() && v.is_empty());
    }

    #[test]
    fn a_picture_fits_without_growing_or_losing_its_shape() {
        let size = |width, height| {
            let fitted = format(width, height, Chroma::C420).within(480, 270);
            (fitted.width, fitted.height)
        };
        assert_eq!(size(1280, 720), (480, 270));
        assert_eq!(size(640, 272), (480, 204));
        assert_eq!(size(176, 144), (176, 144));
        assert_eq!(size(720, 1280), (151, 270));
        assert_eq!(size(8192, 1), (480, 1));
        assert_eq!(size(1, 8192), (1, 270));
    }
}
