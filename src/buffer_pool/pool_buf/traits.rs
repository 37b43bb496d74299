//! The traits that a `Vec<u8>` has too: a [`PoolBuf`] is compared, hashed, shown, extended and written to as one.

use core::borrow::{Borrow, BorrowMut};
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};
use std::io;

use super::PoolBuf;

/// Takes over the vector without a copy. The buffer is in no slot, and belongs to no pool.
impl From<Vec<u8>> for PoolBuf {
    fn from(vec: Vec<u8>) -> Self {
        Self::from_vec(vec, 0, None)
    }
}

/// Copies the bytes if the buffer [is in a slot](PoolBuf::is_pooled), and gives the slot back. Otherwise
/// takes over the block without a copy. [`PoolBuf::try_into_vec`] never copies.
impl From<PoolBuf> for Vec<u8> {
    fn from(buf: PoolBuf) -> Self {
        buf.try_into_vec().unwrap_or_else(|pooled| pooled.to_vec())
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

impl Borrow<[u8]> for PoolBuf {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl BorrowMut<[u8]> for PoolBuf {
    fn borrow_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// Appends the bytes, and never fails.
impl io::Write for PoolBuf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends the bytes. Makes [room](PoolBuf::reserve) at once for as many as there are at least.
impl Extend<u8> for PoolBuf {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        let bytes = bytes.into_iter();
        self.reserve(bytes.size_hint().0);
        bytes.for_each(|byte| self.push(byte));
    }
}

/// Appends copies of the bytes. Makes [room](PoolBuf::reserve) at once for as many as there are at least.
impl<'a> Extend<&'a u8> for PoolBuf {
    fn extend<I: IntoIterator<Item = &'a u8>>(&mut self, bytes: I) {
        self.extend(bytes.into_iter().copied());
    }
}

/// Hashes the bytes as a slice does, so that a map with buffers as keys can be searched by a slice.
impl Hash for PoolBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

/// Compares the bytes.
impl PartialEq for PoolBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for PoolBuf {}

/// Compares the bytes with those of other types, on either side.
macro_rules! compared_with {
    ($([$($generics:tt)*] $other:ty),*) => {$(
        impl<$($generics)*> PartialEq<$other> for PoolBuf {
            fn eq(&self, other: &$other) -> bool {
                self.as_slice() == &other[..]
            }
        }

        impl<$($generics)*> PartialEq<PoolBuf> for $other {
            fn eq(&self, other: &PoolBuf) -> bool {
                &self[..] == other.as_slice()
            }
        }
    )*};
}
compared_with!([] [u8], [] &[u8], [const N: usize] [u8; N], [const N: usize] &[u8; N], [] Vec<u8>);

/// Shows the figures of the buffer, without its bytes.
impl fmt::Debug for PoolBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PoolBuf");
        shown.field("len", &self.len()).field("capacity", &self.capacity());
        shown.field("is_pooled", &self.is_pooled()).finish_non_exhaustive()
    }
}
