//! A buffer of a [`BufferPool`](crate::BufferPool): a `Vec` of bytes whose slot goes back to the pools.
//!
//! As everywhere in this crate, the address tells where the memory came from. It is a slot of the buffer's
//! pool, or else a block of the global allocator. Such a block is exactly what a `Vec<u8>` of the same
//! capacity has.

#[cfg(feature = "bytes")]
mod bytes;
mod traits;

use core::alloc::Layout;
use core::mem::{self, ManuallyDrop, MaybeUninit};
use core::ptr::NonNull;
use core::slice;
use std::sync::Arc;

use super::shared::Shared;
use crate::stats::counters::FallbackReason;

/// A growable buffer of bytes from a [`BufferPool`](crate::BufferPool), which gets its slot back when this is
/// dropped.
///
/// It derefs to the bytes that were written, and to no others. So safe code cannot read what a slot held
/// before.
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
/// Code that reads bytes which were never written, or clones a buffer, does not compile. Nor does code that
/// uses a buffer which is gone or may have moved.
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
    /// Bytes asked for when the block was allocated.
    asked: usize,
    /// `None` if the buffer was made from a `Vec` without a pool.
    pool: Option<Arc<Shared>>,
}

// SAFETY: the bytes are this buffer's alone, and any thread may use the pools.
unsafe impl Send for PoolBuf {}
// SAFETY: a shared reference to a buffer can only read it.
unsafe impl Sync for PoolBuf {}

impl PoolBuf {
    /// Takes an empty buffer in a slot, which counts as a hit. Returns the reason, uncounted, if there is none;
    /// no reason if `len` has no layout.
    pub(super) fn take(pool: &Arc<Shared>, len: usize) -> Result<Self, Option<FallbackReason>> {
        let block = pool.take(Shared::layout(len).ok_or(None)?)?;
        // SAFETY: the block was taken for this layout just now.
        Ok(unsafe { Self::from_slot(block.start, 0, len, pool) })
    }

    /// Makes a buffer of a slot.
    ///
    /// # Safety
    ///
    /// The slot is one of these pools, serves `asked` bytes, and was taken just now. Its first `len` bytes
    /// are initialized.
    pub(super) unsafe fn from_slot(start: *mut u8, len: usize, asked: usize, pool: &Arc<Shared>) -> Self {
        let capacity = pool.pools.unpoison_whole(start).unwrap_or(asked);
        // SAFETY: slots do not start at address 0.
        let start = unsafe { NonNull::new_unchecked(start) };
        Self { start, len, capacity, asked, pool: Some(Arc::clone(pool)) }
    }

    pub(super) fn from_program_vec(vec: Vec<u8>, asked: usize, pool: &Arc<Shared>) -> Self {
        Self::from_vec(vec, asked, Some(Arc::clone(pool)))
    }

    fn from_vec(vec: Vec<u8>, asked: usize, pool: Option<Arc<Shared>>) -> Self {
        pool.iter().for_each(|pool| pool.pools.too_large_block_begins(asked));
        let mut vec = ManuallyDrop::new(vec);
        let (len, capacity) = (vec.len(), vec.capacity());
        // SAFETY: a vector's pointer is never null.
        let start = unsafe { NonNull::new_unchecked(vec.as_mut_ptr()) };
        Self { start, len, capacity, asked, pool }
    }

    /// Returns how many bytes the buffer can hold without moving. In a slot these are all bytes of the slot,
    /// which may be more than were asked for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether the buffer is in a slot.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.slot_of().is_some()
    }

    /// Returns the buffer's pools, if it is in a slot of theirs.
    fn slot_of(&self) -> Option<&Arc<Shared>> {
        self.pool.as_ref().filter(|pool| pool.has(self.start))
    }

    /// Returns the bytes that were written.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialized, and they are this buffer's.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Returns the bytes that were written, for changes.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`; the buffer is borrowed mutably for as long.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Returns the room after the written bytes. Code that fills it calls [`set_len`](Self::set_len)
    /// afterwards.
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the block has `capacity` bytes, of which the first `len` are left out.
        unsafe {
            let spare = self.start.as_ptr().add(self.len).cast();
            slice::from_raw_parts_mut(spare, self.capacity - self.len)
        }
    }

    /// Sets how many bytes are written.
    ///
    /// # Safety
    ///
    /// `len` is at most [`capacity`](Self::capacity), and the first `len` bytes are initialized.
    pub unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity, "{len} bytes of {}", self.capacity);
        self.len = len;
    }

    /// Cuts the buffer to its first `len` bytes, if it is longer. The capacity stays.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Empties the buffer. The capacity stays.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Makes room for `additional` more bytes.
    ///
    /// If the slot is large enough, nothing moves. Otherwise the bytes are copied, once, to a larger slot of
    /// the same pool. If none is free, they are copied to a block of the global allocator, or their block
    /// there grows. From there the next growth may lead back to a slot.
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
        let taken = self.pool.as_ref().map(|pool| Self::take(pool, needed));
        if let Some(Ok(mut moved)) = taken {
            moved.extend_from_slice(self);
            *self = moved;
            return;
        }
        let mut vec = if self.is_pooled() { self.to_vec() } else { self.take_program_vec() };
        vec.reserve(additional);
        if let (Some(pool), Some(Err(refused))) = (&self.pool, taken) {
            pool.count_fallback(refused, needed, true);
        }
        *self = Self::from_vec(vec, needed, self.pool.clone());
    }

    /// Appends `bytes`. Makes [room](Self::reserve) for them first.
    ///
    /// # Panics
    ///
    /// In the same cases as [`reserve`](Self::reserve).
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: there is room behind the first `len` bytes. The buffer is borrowed mutably, so there is no
        // other reference to that room.
        unsafe { self.start.as_ptr().add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len += bytes.len();
    }

    /// Appends a byte. Makes [room](Self::reserve) for it first.
    ///
    /// # Panics
    ///
    /// In the same cases as [`reserve`](Self::reserve).
    pub fn push(&mut self, byte: u8) {
        self.reserve(1);
        // SAFETY: there is room behind the first `len` bytes.
        unsafe { self.start.as_ptr().add(self.len).write(byte) };
        self.len += 1;
    }

    /// Sets the length to `len` bytes: cuts the buffer, or appends bytes of `value` after it made
    /// [room](Self::reserve) for them.
    ///
    /// # Panics
    ///
    /// In the same cases as [`reserve`](Self::reserve).
    pub fn resize(&mut self, len: usize, value: u8) {
        if let Some(additional @ 1..) = len.checked_sub(self.len) {
            self.reserve(additional);
            // SAFETY: there is room behind the first `self.len` bytes.
            unsafe { self.start.as_ptr().add(self.len).write_bytes(value, additional) };
        }
        self.len = len;
    }

    /// Returns the bytes as a `Vec`, but only if that takes no copy.
    ///
    /// # Errors
    ///
    /// The buffer itself, if it is in a slot. [`Vec::from`] copies it then.
    pub fn try_into_vec(mut self) -> Result<Vec<u8>, Self> {
        if self.is_pooled() { Err(self) } else { Ok(self.take_program_vec()) }
    }

    /// Takes the block of the global allocator, and leaves the buffer empty, without a block. The buffer is
    /// not in a slot.
    fn take_program_vec(&mut self) -> Vec<u8> {
        let asked = mem::take(&mut self.asked);
        self.pool.iter().for_each(|pool| pool.pools.too_large_block_ends(asked));
        let start = mem::replace(&mut self.start, NonNull::dangling());
        let (len, capacity) = (mem::take(&mut self.len), mem::take(&mut self.capacity));
        // SAFETY: the buffer is not in a slot, so the block came from a `Vec<u8>` in `from_vec`, and it is
        // given up here. After that the buffer has the parts of an empty `Vec`.
        unsafe { Vec::from_raw_parts(start.as_ptr(), len, capacity) }
    }
}

impl Drop for PoolBuf {
    fn drop(&mut self) {
        let Some(pool) = self.slot_of() else { return drop(self.take_program_vec()) };
        // SAFETY: a block of this size was allocated, so the size is a valid layout's.
        let layout = unsafe { Layout::from_size_align_unchecked(self.asked, 1) };
        // SAFETY: the slot is this buffer's, and given up here.
        unsafe { pool.give(self.start, layout) };
    }
}
