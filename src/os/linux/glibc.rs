//! glibc's heap, which consolidates its small free blocks when it serves large ones.
//!
//! glibc keeps small free blocks apart, in its fast bins, and hands out the last one freed first. It consolidates
//! them with their neighbours when it is asked for a block of about 1 KiB or more that no thread's cache has. The pools
//! take those requests. Without them, small objects that are allocated together come to lie ever further apart, and
//! cost cache misses. So after large requests that the pools took, `PoolAlloc` makes one such request to glibc.
//! (glibc also consolidates when a free block grows to 64 KiB, and before it asks the system for more memory.)

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::super::keeping_errno;

/// Whether [`consolidate_heap`] does something.
pub(crate) const CONSOLIDATES: bool = true;

/// The size in bytes from which requests make glibc consolidate its heap.
pub(crate) const CONSOLIDATES_FROM: usize = 1024;

/// The bytes of the request that makes glibc consolidate: larger than any small bin's block, and than what a thread's
/// cache (tcache) has, which answers before the heap does.
static REQUEST_BYTES: AtomicUsize = AtomicUsize::new(MIN_REQUEST_BYTES);

const MIN_REQUEST_BYTES: usize = 1100;

/// The maximum bytes of that request. A larger one would cost more than it saves.
const MAX_REQUEST_BYTES: usize = 64 << 10;

/// Makes glibc consolidate the free blocks of the arena that this thread uses, by a block that is allocated and freed.
/// Keeps `errno`.
///
/// Takes about 50 ns, and the time of the consolidation: about 40 ns for each small block that was freed since the last
/// one, with the arena locked.
#[cold]
#[inline(never)]
pub(crate) fn consolidate_heap() {
    let bytes = REQUEST_BYTES.load(Relaxed);
    if bytes <= MAX_REQUEST_BYTES {
        // SAFETY: null, or a block that was allocated just now and that nothing uses.
        keeping_errno(|| unsafe { libc::free(black_box(libc::malloc(black_box(bytes)))) });
    }
}

/// Reads from `GLIBC_TUNABLES` which blocks the threads' caches have. For the constructor, as long as no thread changes
/// the environment.
pub(crate) fn read_tunables() {
    // SAFETY: a valid name.
    let tunables = unsafe { libc::getenv(c"GLIBC_TUNABLES".as_ptr()) };
    if !tunables.is_null() {
        // SAFETY: a string that stays where it is until the program changes the environment. It is read at once.
        let tunables = unsafe { core::ffi::CStr::from_ptr(tunables) }.to_bytes();
        REQUEST_BYTES.store(request_bytes(tunables), Relaxed);
    }
}

/// Returns the bytes of a request that no thread's cache answers. `usize::MAX` if the tunable is no decimal number.
fn request_bytes(tunables: &[u8]) -> usize {
    let mut values = tunables
        .split(|&byte| byte == b':')
        .filter_map(|part| part.strip_prefix(b"glibc.malloc.tcache_max="));
    values.next_back().map_or(MIN_REQUEST_BYTES, |value| {
        let number = core::str::from_utf8(value).ok().and_then(|value| value.parse::<usize>().ok());
        // A cached block may be rounded up to the next step of 16 bytes.
        number.map_or(usize::MAX, |max| max.saturating_add(64).max(MIN_REQUEST_BYTES))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_larger_than_what_a_threads_cache_has() {
        let bytes = |text: &str| request_bytes(text.as_bytes());
        assert_eq!(bytes(""), MIN_REQUEST_BYTES);
        assert_eq!(bytes("glibc.malloc.tcache_max=512:glibc.malloc.mxfast=0"), MIN_REQUEST_BYTES);
        assert_eq!(bytes("glibc.malloc.mxfast=0:glibc.malloc.tcache_max=2048"), 2112);
        // glibc follows the last one.
        assert_eq!(bytes("glibc.malloc.tcache_max=9000:glibc.malloc.tcache_max=64"), MIN_REQUEST_BYTES);
    }

    #[test]
    fn no_request_is_made_if_it_would_have_to_be_large_or_is_not_known() {
        for text in
            ["glibc.malloc.tcache_max=4194304", "glibc.malloc.tcache_max=0x1000", "glibc.malloc.tcache_max="]
        {
            assert!(request_bytes(text.as_bytes()) > MAX_REQUEST_BYTES, "{text}");
        }
    }
}
