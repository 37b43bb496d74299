//! [`PoolBuf`] in network code: written to as a `BufMut`, and passed on as `Bytes`, without a copy.

use bytes::buf::UninitSlice;
use bytes::{Buf, BufMut, Bytes};

use super::PoolBuf;

/// The room that an implicit growth makes at least, in bytes: as a `Vec` has it as a `BufMut`.
const GROWTH_BYTES: usize = 64;

impl PoolBuf {
    /// Makes `Bytes` of the buffer without a copy. The slot is given back when the last of these `Bytes`, and of
    /// those made from them, is dropped.
    ///
    /// ```
    /// use bytes::BufMut;
    ///
    /// let mut packet = framepool::BufferPool::new().alloc(1500);
    /// packet.put_u16(0x8060);
    /// packet.put_slice(b"payload");
    /// let packet = packet.freeze();
    /// assert_eq!(packet.slice(2..), "payload");
    /// ```
    #[must_use]
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

/// Makes `Bytes` as [`freeze`](PoolBuf::freeze) does.
impl From<PoolBuf> for Bytes {
    fn from(buf: PoolBuf) -> Self {
        buf.freeze()
    }
}

/// Appends bytes. The buffer grows when it is full, as a `Vec<u8>` does: see [`PoolBuf::reserve`].
// SAFETY: the chunk is the room behind the bytes that were written, and `advance_mut` adds to those what the caller
// says that it has written there.
unsafe impl BufMut for PoolBuf {
    fn remaining_mut(&self) -> usize {
        // No buffer has more bytes.
        isize::MAX as usize - self.len()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        let room = self.capacity() - self.len();
        assert!(count <= room, "advanced by {count} bytes, but there is room for {room}");
        // SAFETY: at most the capacity; the caller has written the bytes.
        unsafe { self.set_len(self.len() + count) };
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        if self.len() == self.capacity() {
            self.reserve(GROWTH_BYTES);
        }
        UninitSlice::uninit(self.spare_capacity_mut())
    }

    fn put<T: Buf>(&mut self, mut source: T)
    where
        Self: Sized,
    {
        self.reserve(source.remaining());
        while source.has_remaining() {
            let chunk = source.chunk();
            let bytes = chunk.len();
            self.extend_from_slice(chunk);
            source.advance(bytes);
        }
    }

    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_bytes(&mut self, byte: u8, count: usize) {
        let len = self.len().checked_add(count).expect("capacity overflow");
        self.resize(len, byte);
    }
}
