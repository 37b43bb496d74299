//! The moving picture that every client sends: all its frames in one block, read-only while the server runs.
//!
//! The block is larger than any buffer of the work, so no size class of any table takes it and it pins no slots.

use super::picture::Format;

/// The least that a block of the clip has; memory that is never touched costs nothing.
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

    /// Appends a plane; the planes of a frame come in their order.
    pub(crate) fn push_plane(&mut self, plane: &[u8]) {
        self.frames.extend_from_slice(plane);
    }

    /// The block under the frames, for a source that draws them itself.
    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    /// Whole frames in the clip.
    pub(crate) fn len(&self) -> usize {
        self.frames.len() / self.format.frame_bytes()
    }

    /// Frame `number` of the endless loop.
    pub(super) fn frame(&self, number: usize) -> &[u8] {
        let bytes = self.format.frame_bytes();
        &self.frames[number % self.len() * bytes..][..bytes]
    }
}

/// A vector with room for `count` elements that no size class takes.
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
