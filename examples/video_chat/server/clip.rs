//! The video that every client sends: all its frames in one block, which is read-only while the server runs.
//!
//! The block is larger than any buffer of the server's work, so no size class of any table serves it, and it
//! occupies no slot.

use super::picture::Format;

/// The minimum size of the clip's block. Memory that is never touched costs nothing.
const OUTSIDE_BYTES: usize = 16 << 20;

/// Frames of one format, played in a loop.
pub(crate) struct Clip {
    pub(crate) format: Format,
    frames: Vec<u8>,
}

impl Clip {
    /// An empty clip with room for `bytes` bytes of frames.
    pub(crate) fn with_capacity(format: Format, bytes: usize) -> Self {
        Self { format, frames: outside(bytes) }
    }

    /// Appends a plane. The planes of a frame must come in their order.
    pub(crate) fn push_plane(&mut self, plane: &[u8]) {
        self.frames.extend_from_slice(plane);
    }

    /// Returns the block of the frames, for a source that draws them itself.
    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    /// Returns the number of whole frames in the clip.
    pub(crate) fn len(&self) -> usize {
        self.frames.len() / self.format.frame_bytes()
    }

    /// Returns frame `number` of the endless loop.
    pub(super) fn frame(&self, number: usize) -> &[u8] {
        let bytes = self.format.frame_bytes();
        &self.frames[number % self.len() * bytes..][..bytes]
    }
}

/// Returns a vector with room for at least `count` elements, too large for every size class.
pub(super) fn outside<T>(count: usize) -> Vec<T> {
    Vec::with_capacity(count.max(OUTSIDE_BYTES / size_of::<T>()))
}

#[cfg(test)]
mod tests {
    use super::super::picture::Chroma;
    use super::*;

    #[test]
    fn frames_loop_and_their_block_is_outside_every_class() {
        let format = Format { width: 2, height: 1, chroma: Chroma::Mono };
        let mut clip = Clip::with_capacity(format, 4);
        clip.push_plane(&[1, 2]);
        clip.push_plane(&[3, 4]);
        assert_eq!(clip.len(), 2);
        assert_eq!((clip.frame(0), clip.frame(3)), (&[1, 2][..], &[3, 4][..]));
        assert!(clip.frames.capacity() >= OUTSIDE_BYTES);
    }
}
