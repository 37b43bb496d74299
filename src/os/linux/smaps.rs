//! A reader of `/proc/thread-self/smaps`, piece by piece: how much of a range of addresses is resident, huge
//! and locked.
//!
//! This file is the only account of all three that every Linux kernel has and every user may read. The reader
//! keeps a line in a fixed buffer until the line is complete, and allocates nothing. It drops the part of a
//! line beyond the buffer. Only paths are that long, and the reader does not use them.

use core::ops::Range;

use super::super::PageFigures;

/// Bytes of a line that are kept. That is more than the flags of a mapping take, the longest line that
/// matters.
const LINE_BYTES: usize = 160;

/// A reader of the file, with what it has read so far.
pub(super) struct Smaps {
    range: Range<usize>,
    line: [u8; LINE_BYTES],
    line_len: usize,
    /// Whether the mapping that is being read lies in the range.
    is_ours: bool,
    sums: Sums,
}

impl Smaps {
    /// Creates a reader that adds up the mappings within `range`. Only inaccessible mappings may cross its
    /// ends.
    pub(crate) fn new(range: Range<usize>) -> Self {
        Self { range, line: [0; LINE_BYTES], line_len: 0, is_ours: false, sums: Sums::default() }
    }

    /// Reads the next bytes of the file.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_of_line();
                self.line_len = 0;
            } else if let Some(place) = self.line.get_mut(self.line_len) {
                *place = byte;
                self.line_len += 1;
            }
        }
    }

    /// Returns the sums; `None` if the file had no mapping in the range.
    pub(crate) fn page_figures(&self) -> Option<PageFigures> {
        (self.sums.mappings > 0).then_some(self.sums.figures)
    }

    fn end_of_line(&mut self) {
        let Ok(line) = core::str::from_utf8(&self.line[..self.line_len]) else { return };
        // A mapping starts with `7f12a000-7f12b000 rw-p ...`, in lower case. Its fields start with capitals.
        if !line.starts_with(|first: char| first.is_ascii_uppercase()) {
            self.is_ours = addresses(line)
                .is_some_and(|found| self.range.start <= found.start && found.end <= self.range.end);
            self.sums.resident = 0;
            self.sums.mappings += usize::from(self.is_ours);
        } else if self.is_ours {
            self.sums.add(line);
        }
    }
}

/// The sums over the mappings in the range that were read so far.
#[derive(Default)]
struct Sums {
    mappings: usize,
    /// Resident bytes of the last mapping.
    resident: u64,
    figures: PageFigures,
}

impl Sums {
    /// Adds a field. `Rss` comes before `VmFlags`, which is the last field of a mapping.
    fn add(&mut self, line: &str) {
        match line.split_once(':') {
            Some(("Rss", value)) => {
                self.resident = bytes(value);
                self.figures.resident += self.resident;
            }
            Some(("AnonHugePages", value)) => self.figures.huge += bytes(value),
            // The field `Locked` is not read: after a `fork` it has the process's share only.
            Some(("VmFlags", flags)) if flags.split_whitespace().any(|flag| flag == "lo") => {
                self.figures.locked += self.resident;
            }
            _ => {}
        }
    }
}

fn addresses(line: &str) -> Option<Range<usize>> {
    let (start, rest) = line.split_once('-')?;
    let (end, _) = rest.split_once(' ')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

/// Returns the bytes of a value such as `   132 kB`, and 0 for anything else.
fn bytes(value: &str) -> u64 {
    let kib = value.trim().strip_suffix(" kB").and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
1000-3000 rw-p 00000000 00:00 0                                  [anon:another]
Size:                  8 kB
Rss:                   8 kB
AnonHugePages:      2048 kB
VmFlags: rd wr mr mw me lo ac sd
40000-80000 ---p 00000000 00:00 0 
Rss:                   0 kB
VmFlags: mr mw me nr sd
80000-180000 rw-p 00000000 00:00 0                               [anon:framepool: slots]
Size:               1024 kB
Rss:                 132 kB
Pss:                  66 kB
AnonHugePages:        64 kB
Locked:               66 kB
VmFlags: rd wr mr mw me lo lf nr nh
180000-200000 rw-p 00000000 00:00 0 
Rss:                  12 kB
AnonHugePages:         0 kB
VmFlags: rd wr mr mw me nr hg flo
200000-210000 rw-p 00000000 00:00 0 /a/path/longer/than/any/line/that/is/looked/at/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
Rss:                  64 kB
VmFlags: rd wr lo
";

    #[test]
    fn mappings_in_the_range_are_added_up_wherever_the_file_is_cut() {
        let expected = PageFigures { resident: (132 + 12) << 10, huge: 64 << 10, locked: 132 << 10 };
        for piece in [1, 2, 3, 7, 64, 4096] {
            let mut smaps = Smaps::new(0x40000..0x200000);
            FILE.as_bytes().chunks(piece).for_each(|bytes| smaps.read(bytes));
            assert_eq!(smaps.page_figures(), Some(expected), "pieces of {piece} bytes");
        }
    }

    #[test]
    fn a_file_without_the_range_gives_nothing() {
        let mut smaps = Smaps::new(0x300000..0x400000);
        smaps.read(FILE.as_bytes());
        assert_eq!(smaps.page_figures(), None);
    }
}
