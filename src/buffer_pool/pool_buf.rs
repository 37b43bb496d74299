//! A buffer of a [`BufferPool`](crate::BufferPool): a `Vec` of bytes whose memory goes back to its slot.
//!
//! Where it came from is told by its address, as everywhere in this crate: a slot of its pool, or else a block of the global allocator, which is
//! then exactly what a `Vec<u8>` of the same capacity has.

use core::alloc::Layout;
use core::fmt;
use core::mem::{self, ManuallyDrop, MaybeUninit};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::slice;
use std::io;
use std::sync::Arc;

use super::shared::Shared;

/// A growable buffer of bytes out of a [`BufferPool`](crate::BufferPool), which gets its slot back when this is dropped.
///
/// It derefs to the bytes that were written: never to any others, so what a slot held before cannot be read in safe code.
///
/// ```
/// let pool = framepool::BufferPool::new();
/// let mut packet = pool.alloc(1500);
/// assert_eq!((packet.len(), packet.capacity() >= 1500), (0, true));
/// packet.extend_from_slice(b"RIFF");
/// packet.resize(8, 0);
/// assert_eq!(*packet, *b"RIFF\0\0\0\0");
///
/// let reader = std::thread::spawn(move || packet.len()); // given back there
/// assert_eq!(reader.join().unwrap(), 8);
/// ```
///
/// What the compiler refuses: bytes that nobody wrote, and a buffer that is gone.
///
/// ```compile_fail,E0308
/// let mut buf = framepool::BufferPool::new().alloc(16);
/// let byte: u8 = buf.spare_capacity_mut()[0];
/// ```
/// ```compile_fail,E0505
/// let buf = framepool::BufferPool::new().alloc_zeroed(16);
/// let bytes = &buf[..];
/// drop(buf);
/// println!("{bytes:?}");
/// ```
/// ```compile_fail,E0502
/// let mut buf = framepool::BufferPool::new().alloc_zeroed(16);
/// let bytes = &buf[..];
/// buf.extend_from_slice(&[0; 1 << 20]); // may move it
/// println!("{bytes:?}");
/// ```
/// ```compile_fail,E0599
/// let buf = framepool::BufferPool::new().alloc(16);
/// let twin = buf.clone(); // would be a slot with two owners
/// ```
/// ```compile_fail,E0382
/// let buf = framepool::BufferPool::new().alloc(16);
/// let vec = Vec::from(buf);
/// println!("{}", buf.len());
/// ```
pub struct PoolBuf {
    start: NonNull<u8>,
    len: usize,
    capacity: usize,
    /// What was asked for when the block was allocated.
    asked: usize,
    /// `None`: it never had to do with a pool.
    pool: Option<Arc<Shared>>,
}

// SAFETY: the bytes are this buffer's alone, and the pools may be used by any thread.
unsafe impl Send for PoolBuf {}
// SAFETY: a shared buffer can only be read.
unsafe impl Sync for PoolBuf {}

impl PoolBuf {
    /// An empty buffer in a slot, counted as a hit; or `None`, counted as whatever it is.
    pub(super) fn take(pool: &Arc<Shared>, len: usize) -> Option<Self> {
        let block = pool.take(Shared::layout(len)?)?;
        // SAFETY: a block of this layout that was taken just now.
        Some(unsafe { Self::from_slot(block.start, 0, len, pool) })
    }

    /// # Safety
    ///
    /// A slot of the pools that serves `asked` bytes, was taken just now, and whose first `len` bytes are initialized.
    pub(super) unsafe fn from_slot(start: *mut u8, len: usize, asked: usize, pool: &Arc<Shared>) -> Self {
        let capacity = pool.pools.unpoison_whole(start).unwrap_or(asked);
        // SAFETY: slots do not start at address 0.
        let start = unsafe { NonNull::new_unchecked(start) };
        Self { start, len, capacity, asked, pool: Some(Arc::clone(pool)) }
    }

    pub(super) fn from_heap(heap: Vec<u8>, asked: usize, pool: &Arc<Shared>) -> Self {
        Self::from_vec(heap, asked, Some(Arc::clone(pool)))
    }

    fn from_vec(heap: Vec<u8>, asked: usize, pool: Option<Arc<Shared>>) -> Self {
        let mut heap = ManuallyDrop::new(heap);
        let (len, capacity) = (heap.len(), heap.capacity());
        // SAFETY: a vector's pointer is never null.
        let start = unsafe { NonNull::new_unchecked(heap.as_mut_ptr()) };
        Self { start, len, capacity, asked, pool }
    }

    /// Bytes that it has room for without moving: those of the slot, which may be more than were asked for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether it is in a slot.
    pub fn is_pooled(&self) -> bool {
        self.slot_of().is_some()
    }

    /// Its pools, if it is in a slot of theirs.
    fn slot_of(&self) -> Option<&Arc<Shared>> {
        self.pool.as_ref().filter(|pool| pool.has(self.start))
    }

    /// The bytes that were written.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialized, and this buffer's.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The same, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed for as long.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// The room after the written bytes, for code that fills it by itself and then calls [`set_len`](Self::set_len).
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the block has `capacity` bytes, of which the first `len` are left out.
        unsafe {
            let spare = self.start.as_ptr().add(self.len).cast();
            slice::from_raw_parts_mut(spare, self.capacity - self.len)
        }
    }

    /// Says how many bytes are written.
    ///
    /// # Safety
    ///
    /// `len` is at most [`capacity`](Self::capacity), and the first `len` bytes are initialized.
    pub unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity, "{len} bytes of {}", self.capacity);
        self.len = len;
    }

    /// Forgets all bytes but the first `len`. The capacity stays.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Forgets all bytes. The capacity stays.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Makes room for `additional` bytes more.
    ///
    /// Moves nothing as long as the slot is large enough. Otherwise the bytes are copied, once, to a larger slot of the same pool, or, if none
    /// is free, to a block of the global allocator (or grow in one), from where the next growth may lead back.
    ///
    /// # Panics
    ///
    /// If the capacity would exceed `isize::MAX`, as `Vec` does.
    pub fn reserve(&mut self, additional: usize) {
        if additional > self.capacity - self.len {
            self.grow(additional);
        }
    }

    #[cold]
    fn grow(&mut self, additional: usize) {
        let needed = self.len.checked_add(additional).filter(|&needed| needed <= isize::MAX as usize);
        let needed = needed.expect("capacity overflow");
        if let Some(mut moved) = self.pool.as_ref().and_then(|pool| Self::take(pool, needed)) {
            moved.extend_from_slice(self);
            *self = moved;
        } else {
            let mut heap = if self.is_pooled() { self.to_vec() } else { self.take_heap() };
            heap.reserve(additional);
            *self = Self::from_vec(heap, needed, self.pool.clone());
        }
    }

    /// Appends `bytes`, after making [room](Self::reserve) for them.
    ///
    /// # Panics
    ///
    /// As [`reserve`](Self::reserve).
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: there is room behind the first `len` bytes, and nobody else has a reference to it.
        unsafe { self.start.as_ptr().add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len += bytes.len();
    }

    /// Makes it `len` bytes long: forgets what is beyond, or appends bytes of `value`, after making [room](Self::reserve) for them.
    ///
    /// # Panics
    ///
    /// As [`reserve`](Self::reserve).
    pub fn resize(&mut self, len: usize, value: u8) {
        if let Some(additional @ 1..) = len.checked_sub(self.len) {
            self.reserve(additional);
            // SAFETY: there is room behind the first `self.len` bytes.
            unsafe { self.start.as_ptr().add(self.len).write_bytes(value, additional) };
        }
        self.len = len;
    }

    /// The bytes as a `Vec`, but only if that takes no copy.
    ///
    /// # Errors
    ///
    /// The buffer itself, if it is in a slot: [`Vec::from`] copies it then.
    pub fn try_into_vec(mut self) -> Result<Vec<u8>, Self> {
        if self.is_pooled() { Err(self) } else { Ok(self.take_heap()) }
    }

    /// Its block of the global allocator; this is left empty, without one. It is not in a slot.
    fn take_heap(&mut self) -> Vec<u8> {
        let start = mem::replace(&mut self.start, NonNull::dangling());
        let (len, capacity) = (mem::take(&mut self.len), mem::take(&mut self.capacity));
        // SAFETY: not in a slot, so this came from a `Vec<u8>` in `from_vec`; it is given up here.
        unsafe { Vec::from_raw_parts(start.as_ptr(), len, capacity) }
    }
}

impl Drop for PoolBuf {
    fn drop(&mut self) {
        let Some(pool) = self.slot_of() else { return drop(self.take_heap()) };
        // SAFETY: the size of a block that was allocated is a valid layout's.
        let layout = unsafe { Layout::from_size_align_unchecked(self.asked, 1) };
        // SAFETY: this buffer's slot, which it gives up.
        unsafe { pool.give(self.start, layout) };
    }
}

/// Without a copy. It is in no slot, and belongs to no pool.
impl From<Vec<u8>> for PoolBuf {
    fn from(vec: Vec<u8>) -> Self {
        Self::from_vec(vec, 0, None)
    }
}

/// With a copy if the buffer [is in a slot](PoolBuf::is_pooled), which it gives back; without one otherwise. [`PoolBuf::try_into_vec`]
/// never copies.
impl From<PoolBuf> for Vec<u8> {
    fn from(buf: PoolBuf) -> Self {
        buf.try_into_vec().unwrap_or_else(|pooled| pooled.to_vec())
    }
}

/// Without a copy. The slot is given back when the last of these `Bytes`, and of those made from them, is dropped.
#[cfg(feature = "bytes")]
impl From<PoolBuf> for bytes::Bytes {
    fn from(buf: PoolBuf) -> Self {
        Self::from_owner(buf)
    }
}

impl Deref for PoolBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl DerefMut for PoolBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl AsRef<[u8]> for PoolBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for PoolBuf {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// Appends, and never fails.
impl io::Write for PoolBuf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// By their bytes.
impl PartialEq for PoolBuf {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for PoolBuf {}

/// Without its bytes, of which there tend to be many.
impl fmt::Debug for PoolBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PoolBuf");
        shown.field("len", &self.len).field("capacity", &self.capacity);
        shown.field("is_pooled", &self.is_pooled()).finish_non_exhaustive()
    }
}
