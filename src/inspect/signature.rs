//! The search for metadata: a signature at the start of a mapping.

use core::mem::offset_of;
use core::ops::Range;

use crate::inspect::error::Error;
use crate::inspect::memory::{self, Memory};
use crate::metadata::Metadata;
use crate::metadata::signature::{LAYOUT, MAGIC, Signature, VERSION};
use crate::sync::Ordering::Acquire;

/// Metadata that was found, with the bounds that everything in it has to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The addresses of the metadata.
    pub(super) addresses: Range<u64>,
    /// Whether these are the pools of a `PoolAlloc`.
    pub(super) is_program: bool,
}

/// Finds the metadata in the mappings of a process, which are given as its file `maps` has them.
pub(super) fn find(memory: &dyn Memory, pid: u32, maps: &str) -> Result<Vec<Found>, Error> {
    let mut other = Error::NoPools(pid);
    let mut found = Vec::new();
    for mapping in maps.lines().filter(|line| is_private_memory(line)).filter_map(addresses) {
        match at(memory, pid, &mapping) {
            Ok(metadata) => found.extend(metadata),
            // A mapping may go meanwhile.
            Err(Error::Gone(_)) => {}
            Err(error @ Error::OtherBuild { .. }) => other = error,
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() { Err(other) } else { Ok(found) }
}

/// Returns the addresses at the start of a line of `maps`; `None` for an impossible range.
pub(super) fn addresses(line: &str) -> Option<Range<u64>> {
    let (start, rest) = line.split_once('-')?;
    let (end, _) = rest.split_once(' ')?;
    let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
    (!range.is_empty()).then_some(range)
}

/// Whether a line of `maps` is about private memory of no file, which may be read and written.
fn is_private_memory(line: &str) -> bool {
    let mut fields = line.split_ascii_whitespace().skip(1);
    fields.next() == Some("rw-p") && fields.nth(2) == Some("0")
}

/// Reads the signature at the start of a mapping. `None` if there is none.
fn at(memory: &dyn Memory, pid: u32, mapping: &Range<u64>) -> Result<Option<Found>, Error> {
    const _: () = assert!(offset_of!(Metadata, signature) == 0, "let the metadata begin with its signature");
    let room = mapping.end - mapping.start;
    if room < size_of::<Signature>() as u64 {
        return Ok(None);
    }
    let signature = memory::read::<Signature>(memory, mapping.start)?;
    if signature.magic.load(Acquire) != MAGIC || signature.address != mapping.start {
        return Ok(None);
    }
    if signature.version != VERSION || signature.layout != LAYOUT {
        let version = signature.version.split(|&byte| byte == 0).next().unwrap_or_default();
        // What another process says is shown as text: no control characters.
        let version = String::from_utf8_lossy(version).chars().filter(|c| !c.is_control()).collect();
        return Err(Error::OtherBuild { pid, version });
    }
    let is_possible = (size_of::<Metadata>() as u64..=room).contains(&signature.bytes);
    Ok(is_possible.then(|| Found {
        addresses: mapping.start..mapping.start + signature.bytes,
        is_program: signature.is_program != 0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_is_private_memory_or_something_else() {
        let memory = "7f12a0000000-7f12a0010000 rw-p 00000000 00:00 0 ";
        assert!(is_private_memory(memory) && is_private_memory(&format!("{memory}[anon:a name]")));
        assert_eq!(addresses(memory), Some(0x7f12_a000_0000..0x7f12_a001_0000));
        for other in [
            "7f12a0000000-7f12a0010000 ---p 00000000 00:00 0 ",
            "7f12a0000000-7f12a0010000 rw-s 00000000 00:00 0 ",
            "7f12a0000000-7f12a0010000 rw-p 00001000 08:01 1234 /lib/libc.so.6",
            "",
            "nonsense",
        ] {
            assert!(!is_private_memory(other), "{other}");
        }
        for none in ["", "12-", "12-11 rw-p", "12-12 rw-p", "x-y z", "-1-2 r"] {
            assert_eq!(addresses(none), None, "{none}");
        }
    }
}
